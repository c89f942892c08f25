//! # An audit log records less than before
//!
//! Finds: a change after which an audit log no longer records all key activity: management events off, only reads or
//! only writes, the key service excluded, one region only, global services or the organisation dropped, signed
//! digests off; also a selector that keyvigil does not understand.
//!
//! Severity: high; critical when the key service is excluded or management events are off, for then use of keys leaves
//! no record at all; medium for digests off, or for selectors that are not understood. An attempt is one step lower.
//!
//! How it can be wrong: several trails cover each other; this looks at the one that changed. The controls look at all.
//!
//! What to do: put the previous selectors back. Excluding the key service is a well-known way to save money; it is
//! against the policy all the same.
//!
//! Closes: when selectors are set that record everything again, or the control failed after this and then saw the trail
//! record everything again, in all regions and with global services.

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::facts::{AuditScope, Facts};
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::rule::{Rule, Scene};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "audit.narrowed",
    title: "An audit log records less than before",
    severity: Severity::High,
    references: &["SOC2 CC6.8", "SOC2 CC7.2", "ATT&CK T1562.008"],
    source: include_str!("audit_narrowed.rs"),
};

/// The rule.
pub struct AuditNarrowed;

impl Rule for AuditNarrowed {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::of(&[Action::AuditScopeChange, Action::AuditRedirect])
    }

    fn event(&self, scene: &mut Scene<'_>) {
        let Facts::AuditScope(scope) = &scene.event.facts else {
            return;
        };
        let Some(severity) = severity(scope) else {
            return;
        };
        let mut draft = scene
            .resource_draft(&META)
            .severe(severity)
            .advise(advice::check_logging(scene.event))
            .advise(advice::who_did_it(&scene.event.principal));
        for part in lost(scope) {
            draft = draft.fact("no longer recorded", part);
        }
        scene.report(draft);
    }
}

/// How bad the scope is; `None` if it records everything.
pub fn severity(scope: &AuditScope) -> Option<Severity> {
    let keys_excluded = scope
        .excluded_services
        .iter()
        .any(|service| service.contains("kms"));
    if scope.management_off || keys_excluded {
        return Some(Severity::Critical);
    }
    if scope.narrows() {
        return Some(META.severity);
    }
    (scope.validation_off || scope.not_understood).then_some(Severity::Medium)
}

fn lost(scope: &AuditScope) -> Vec<String> {
    let mut lost = Vec::new();
    for (is_lost, text) in [
        (scope.management_off, "management events"),
        (
            scope.reads_or_writes_only,
            "either reads or writes (decryption counts as a read)",
        ),
        (scope.single_region, "other regions"),
        (scope.global_events_off, "global services"),
        (scope.organisation_off, "other accounts of the organisation"),
        (scope.validation_off, "signed digests"),
        (
            scope.not_understood,
            "not known: the selectors have a form that is not understood",
        ),
    ] {
        if is_lost {
            lost.push(text.to_owned());
        }
    }
    for service in &scope.excluded_services {
        lost.push(format!("events of {service}"));
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, ev, policy};

    #[test]
    fn what_is_lost_decides() {
        let change = |scope| {
            ev(Action::AuditScopeChange)
                .no_key()
                .resource("trail")
                .facts(Facts::AuditScope(scope))
        };
        let kms = || AuditScope {
            excluded_services: vec!["kms.amazonaws.com".into()],
            ..AuditScope::default()
        };
        let cases = [
            (kms(), "critical audit.narrowed"),
            (
                AuditScope {
                    management_off: true,
                    ..AuditScope::default()
                },
                "critical audit.narrowed",
            ),
            (
                AuditScope {
                    excluded_services: vec!["rdsdata.amazonaws.com".into()],
                    ..AuditScope::default()
                },
                "high audit.narrowed",
            ),
            (
                AuditScope {
                    reads_or_writes_only: true,
                    ..AuditScope::default()
                },
                "high audit.narrowed",
            ),
            (
                AuditScope {
                    single_region: true,
                    ..AuditScope::default()
                },
                "high audit.narrowed",
            ),
            (
                AuditScope {
                    validation_off: true,
                    ..AuditScope::default()
                },
                "medium audit.narrowed",
            ),
            (
                AuditScope {
                    not_understood: true,
                    ..AuditScope::default()
                },
                "medium audit.narrowed",
            ),
        ];
        for (scope, expected) in cases {
            check(policy(), &[change(scope)], &[expected]);
        }
        check(policy(), &[change(AuditScope::default())], &[]);
        check(policy(), &[change(kms()).denied()], &["high audit.narrowed"]);
        check(
            policy(),
            &[change(kms()), change(AuditScope::default()).minute(3)],
            &["critical audit.narrowed", "cleared reverted"],
        );
    }
}
