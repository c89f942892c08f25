//! # Automatic rotation was switched off or stretched
//!
//! Finds: a key whose automatic rotation was disabled, or whose period was set longer than `rotation.max_age_days`.
//!
//! Severity: high. An attempt is one step lower.
//!
//! How it can be wrong: a key that is about to be retired. Write an exception for it.
//!
//! What to do: switch rotation on again. Rotation keeps the old material: nothing has to be re-encrypted.
//!
//! Closes: when rotation is enabled with an accepted period, or the control failed after this and passes again.

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::facts::Facts;
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::policy::Policy;
use crate::rule::{Rule, Scene};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "rotation.disabled",
    title: "Automatic rotation of a key was switched off",
    severity: Severity::High,
    references: &["SOC2 CC6.1", "CIS AWS 4.6"],
    source: include_str!("rotation_disabled.rs"),
};

/// The rule.
pub struct RotationDisabled;

/// The period that was set, if it is longer than accepted.
pub fn too_long(facts: &Facts, policy: &Policy) -> Option<u32> {
    match facts {
        Facts::Rotation {
            period_days: Some(days),
        } if *days > policy.rotation.max_age_days => Some(*days),
        _ => None,
    }
}

impl Rule for RotationDisabled {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::of(&[Action::KeyRotationDisable, Action::KeyRotationEnable])
    }

    fn event(&self, scene: &mut Scene<'_>) {
        let mut draft = scene.draft(&META);
        if scene.event.action == Action::KeyRotationEnable {
            let Some(days) = too_long(&scene.event.facts, scene.policy) else {
                return;
            };
            draft = draft
                .titled("The rotation period of a key was set longer than accepted")
                .fact("period", format!("{days} days"))
                .fact("accepted", format!("{} days", scene.policy.rotation.max_age_days));
        }
        let draft = draft
            .advise(advice::enable_rotation(scene.event.provider, scene.key))
            .advise(advice::who_did_it(&scene.event.principal));
        scene.report(draft);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, ev, policy};

    #[test]
    fn fires_on_off_and_on_too_long_and_closes() {
        let enable = |period_days| {
            ev(Action::KeyRotationEnable)
                .facts(Facts::Rotation { period_days })
                .minute(5)
        };
        let fires = "high rotation.disabled";
        check(policy(), &[ev(Action::KeyRotationDisable)], &[fires]);
        check(
            policy(),
            &[ev(Action::KeyRotationDisable).denied()],
            &["medium rotation.disabled"],
        );
        check(policy(), &[enable(Some(366))], &[fires]);
        check(policy(), &[enable(Some(365))], &[]);
        check(policy(), &[enable(None)], &[]);
        check(
            policy(),
            &[ev(Action::KeyRotationDisable), enable(None)],
            &[fires, "cleared reverted"],
        );
        check(
            policy(),
            &[ev(Action::KeyRotationDisable), enable(Some(400))],
            &[fires, fires],
        );
    }
}
