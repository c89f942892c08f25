//! # A secret was destroyed
//!
//! Finds: the deletion of a secret.
//!
//! Severity: high without a recovery window; low with one (it can be restored). One step higher when the same principal
//! destroys at least `thresholds.secret_destroyed.critical_secrets` distinct secrets in 24 hours. An attempt is one
//! step lower.
//!
//! How it can be wrong: pipelines that take environments down. Write an exception for their role.
//!
//! What to do: restore it while the window lasts; look for what else the principal deleted.
//!
//! Closes: when the secret is restored.

use std::time::Duration;

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::facts::Facts;
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::rule::{Naming, Rule, Scene, tag};
use crate::state::window::Count;
use crate::state::{hash, hash_all};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "secret.destroyed",
    title: "A secret was destroyed without a way back",
    severity: Severity::High,
    references: &["SOC2 CC6.1", "SOC2 CC7.2", "ATT&CK T1485"],
    source: include_str!("secret_destroyed.rs"),
};

const DAY: Duration = Duration::from_secs(86_400);

/// The rule.
pub struct SecretDestroyed;

impl Rule for SecretDestroyed {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::of(&[Action::SecretDestroy])
    }

    fn event(&self, scene: &mut Scene<'_>) {
        let for_ever = matches!(scene.event.facts, Facts::SecretDeletion { irreversible: true });
        let (mut severity, title) = match for_ever {
            true => (META.severity, META.title),
            false => (
                Severity::Low,
                "A secret was deleted; it can be restored for a while",
            ),
        };
        let group = hash_all(&[META.id, scene.event.principal.id.as_str()]);
        let mark = scene.mark(tag(&hash(scene.target())));
        let full = scene.state.windows.add(group, mark, DAY, Count::Distinct);
        if full.distinct >= scene.policy.thresholds.secret_destroyed.critical_secrets as usize {
            severity = severity.raised();
        }
        let mut draft = scene
            .resource_draft(&META)
            .titled(title)
            .severe(severity)
            .fact("recovery window", if for_ever { "none" } else { "yes" })
            .fact(
                "secrets destroyed by this principal in 24 hours",
                full.distinct.to_string(),
            )
            .advise(advice::restore_secret(scene.event))
            .advise(advice::who_did_it(&scene.event.principal));
        draft.naming = Naming::Chosen;
        scene.report(draft);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, ev, policy};

    #[test]
    fn severity_follows_the_way_back_and_the_number() {
        let delete = |name: &str, irreversible| {
            ev(Action::SecretDestroy)
                .no_key()
                .resource(name)
                .facts(Facts::SecretDeletion { irreversible })
        };
        let (high, low) = ("high secret.destroyed", "low secret.destroyed");
        check(policy(), &[delete("a", true)], &[high]);
        check(policy(), &[delete("a", false)], &[low]);
        check(
            policy(),
            &[delete("a", true).denied()],
            &["medium secret.destroyed"],
        );
        check(
            policy(),
            &[
                delete("a", true),
                delete("b", true).minute(1),
                delete("c", true).minute(2),
            ],
            &[high, high, "critical secret.destroyed"],
        );
        let restore = ev(Action::SecretRestore).no_key().resource("a").minute(9);
        check(
            policy(),
            &[delete("a", false), restore],
            &[low, "cleared reverted"],
        );
    }
}
