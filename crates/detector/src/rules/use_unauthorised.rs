//! # Unauthorised use of a key
//!
//! Finds: a principal that does something with a key although an entry of `authorised` covers that operation on that key
//! and no entry lists the principal. This is the policy's promise that only those who may use a key use it.
//!
//! Severity: high; critical for one of the policy's `critical_keys`. A refused attempt is one step lower. A call that
//! came through a service counts in full: the data was read on the principal's behalf.
//!
//! How it can be wrong: the list is out of date. The finding shows what to add. Services that act for themselves are
//! left out.
//!
//! What to do: add the principal, or take its permission away; then look at what else it did.

use keyvigil_model::action::ActionSet;
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::policy::selector;
use crate::rule::{Fold, Rule, Scene};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "use.unauthorised",
    title: "Unauthorised use of a key",
    severity: Severity::High,
    references: &["SOC2 CC6.1", "SOC2 CC6.3", "SOC2 CC7.2", "ATT&CK T1078.004"],
    source: include_str!("use_unauthorised.rs"),
};

/// The rule.
pub struct UseUnauthorised;

impl Rule for UseUnauthorised {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::keys_and_secrets()
    }

    fn event(&self, scene: &mut Scene<'_>) {
        if scene.class.authorised.is_empty() || scene.is_service() {
            return;
        }
        let action = scene.event.action;
        let principal = scene.event.principal.id.as_str();
        let mut covered = false;
        for index in &scene.class.authorised {
            let Some(entry) = scene.policy.authorised.get(*index) else {
                continue;
            };
            if !entry.covers(action) {
                continue;
            }
            if selector::any(&entry.principals, principal) {
                return;
            }
            covered = true;
        }
        if !covered {
            return;
        }
        let mut draft = scene
            .draft(&META)
            .severe(scene.raised_if_critical(META.severity))
            .about(&[scene.target(), principal])
            .fact("operation", action.as_str())
            .fact("listed principals", listed(scene))
            .advise(advice::review_use(scene.event.provider, scene.key))
            .advise(advice::stop_principal(&scene.event.principal));
        if let Some(service) = &scene.event.via.service {
            draft = draft.fact("through", service.raw());
        }
        draft.fold = Fold::Hourly;
        scene.report(draft);
    }
}

/// The principals that the policy lists for the key, cut to a readable length.
fn listed(scene: &Scene<'_>) -> String {
    let mut names: Vec<&str> = Vec::new();
    for index in &scene.class.authorised {
        if let Some(entry) = scene.policy.authorised.get(*index)
            && entry.covers(scene.event.action)
        {
            names.extend(entry.principals.iter().map(String::as_str));
        }
    }
    let more = names.len().saturating_sub(10);
    names.truncate(10);
    match more {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use keyvigil_model::action::Action;

    use super::*;
    use crate::policy::Policy;
    use crate::policy::access::Authorised;
    use crate::testing::{check_rule, ev, learned};

    fn with(operations: &[&str]) -> Policy {
        let mut policy = learned();
        policy.authorised = vec![
            Authorised {
                keys: vec!["*key/k1".to_owned()],
                principals: vec!["*user/app".to_owned()],
                operations: operations.iter().map(|word| (*word).to_owned()).collect(),
            },
            Authorised {
                keys: vec!["*".to_owned()],
                principals: vec!["*user/admin-*".to_owned()],
                operations: vec!["key.policy_set".to_owned()],
            },
        ];
        policy
    }

    #[test]
    fn who_is_listed_may_and_others_may_not() {
        let fires = &["high use.unauthorised"];
        let use_by = |name: &str| ev(Action::KeyDecrypt).key("k1").by(name);
        check_rule(&META, with(&[]), &[use_by("app")], &[]);
        check_rule(&META, with(&[]), &[use_by("mallory")], fires);
        check_rule(
            &META,
            with(&[]),
            &[use_by("mallory").via("s3.amazonaws.com")],
            fires,
        );
        check_rule(
            &META,
            with(&[]),
            &[use_by("mallory").denied()],
            &["medium use.unauthorised"],
        );
        check_rule(&META, with(&[]), &[use_by("mallory").key("k2")], &[]);
        check_rule(&META, with(&[]), &[use_by("s3").service("s3.amazonaws.com")], &[]);
        check_rule(&META, with(&["key.encrypt"]), &[use_by("mallory")], &[]);
        check_rule(&META, with(&["key.d*"]), &[use_by("mallory")], fires);
        check_rule(
            &META,
            with(&[]),
            &[ev(Action::KeyRead).key("k1").by("mallory")],
            &[],
        );
        check_rule(
            &META,
            with(&[]),
            &[ev(Action::KeyPolicySet).key("k1").by("admin-1")],
            &[],
        );
    }

    #[test]
    fn repeats_fold_and_a_success_after_a_refusal_is_told() {
        let use_at = |minute| ev(Action::KeyDecrypt).key("k1").by("mallory").minute(minute);
        let high = "high use.unauthorised";
        check_rule(&META, with(&[]), &[use_at(0), use_at(1), use_at(2)], &[high]);
        check_rule(
            &META,
            with(&[]),
            &[use_at(0).denied(), use_at(1)],
            &["medium use.unauthorised", high],
        );
    }
}
