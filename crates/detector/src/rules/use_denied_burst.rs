//! # A burst of refused calls on keys or secrets
//!
//! Finds: at least `thresholds.denied_burst.calls` refused calls on keys or secrets within
//! `thresholds.denied_burst.minutes` by one credential. Sessions of one role are told apart by their credential, so
//! that the small mistakes of a hundred workers do not add up to an attack; their findings fold by principal.
//!
//! Severity: medium; high when at least `thresholds.denied_burst.high_targets` distinct keys or secrets are concerned.
//!
//! How it can be wrong: a deployment that lacks a permission retries in a loop. Services of the provider are left out:
//! in real logs nearly every refusal is theirs.
//!
//! What to do: find the credential; ask for it to be stopped if what it tried is none of its business.

use std::time::Duration;

use keyvigil_model::action::ActionSet;
use keyvigil_model::event::Outcome;
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::rule::{Attempts, Rule, Scene, tag};
use crate::state::window::Count;
use crate::state::{hash, hash_all};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "use.denied_burst",
    title: "A burst of refused calls on keys or secrets",
    severity: Severity::Medium,
    references: &["SOC2 CC6.1", "SOC2 CC7.2", "ATT&CK T1087", "ATT&CK T1580"],
    source: include_str!("use_denied_burst.rs"),
};

/// The rule.
pub struct UseDeniedBurst;

impl Rule for UseDeniedBurst {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::keys_and_secrets()
    }

    fn event(&self, scene: &mut Scene<'_>) {
        if scene.event.outcome != Outcome::Denied || scene.is_service() {
            return;
        }
        let limits = &scene.policy.thresholds.denied_burst;
        let span = Duration::from_secs(u64::from(limits.minutes) * 60);
        let principal = &scene.event.principal;
        let session = principal
            .credential
            .as_ref()
            .or(principal.session.as_ref())
            .map_or("", |text| text.raw());
        let group = hash_all(&[META.id, principal.id.as_str(), session]);
        let mark = scene.mark(tag(&hash(scene.target())));
        let full = scene.state.windows.add(group, mark, span, Count::Every);
        if full.marks.len() < limits.calls as usize || !scene.state.windows.alarm(group, &full, span) {
            return;
        }
        let severity = match full.distinct >= limits.high_targets as usize {
            true => META.severity.raised(),
            false => META.severity,
        };
        let mut draft = scene
            .draft(&META)
            .severe(severity)
            .about(&[principal.id.as_str()])
            .fact("refused calls", full.marks.len().to_string())
            .fact("distinct keys or secrets", full.distinct.to_string())
            .fact("since", full.start().to_string())
            .resting_on(full.events())
            .advise(advice::who_did_it(principal))
            .advise(advice::stop_principal(principal));
        draft.attempts = Attempts::Same;
        scene.report(draft);
    }
}

#[cfg(test)]
mod tests {
    use keyvigil_model::action::Action;

    use crate::testing::{Ev, check, ev, policy};

    fn denied(count: i64, keys: i64) -> Vec<Ev> {
        (0..count)
            .map(|n| {
                ev(Action::KeyDecrypt)
                    .key(&format!("k{}", n % keys))
                    .denied()
                    .second(n * 10)
            })
            .collect()
    }

    #[test]
    fn counts_refusals_by_credential() {
        check(policy(), &denied(4, 1), &[]);
        check(policy(), &denied(5, 1), &["medium use.denied_burst"]);
        check(policy(), &denied(5, 2), &["high use.denied_burst"]);
        let failed: Vec<_> = denied(6, 1).into_iter().map(|event| event.failed()).collect();
        check(policy(), &failed, &[]);
        let service: Vec<_> = denied(6, 1)
            .into_iter()
            .map(|event| event.service("delivery.logs"))
            .collect();
        check(policy(), &service, &[]);
        let workers: Vec<_> = denied(8, 1)
            .into_iter()
            .enumerate()
            .map(|(n, event)| event.credential(&format!("ASIA{n}")))
            .collect();
        check(policy(), &workers, &[]);
        let slow: Vec<_> = (0..8)
            .map(|n| ev(Action::KeyDecrypt).denied().minute(n * 2))
            .collect();
        check(policy(), &slow, &[]);
    }
}
