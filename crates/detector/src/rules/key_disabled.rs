//! # A key was disabled
//!
//! Finds: a key that was switched off (AWS `DisableKey`), or whose imported material was deleted
//! (`DeleteImportedKeyMaterial`): either way nothing can be decrypted with it any more.
//!
//! Severity: high; critical for one of the policy's `critical_keys`. An attempt is one step lower.
//!
//! How it can be wrong: a key is switched off for a while before it is destroyed, to see who still needs it. That is
//! good practice; write an exception for the key while it lasts.
//!
//! What to do: look for failing applications; enable the key again unless somebody answers for it.
//!
//! Closes: when the key is enabled again. Imported material has to be imported again.

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::event::Outcome;
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::rule::{Rule, Scene};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "key.disabled",
    title: "A key was disabled",
    severity: Severity::High,
    references: &["SOC2 CC6.1", "SOC2 CC7.2", "ATT&CK T1489", "ATT&CK T1485"],
    source: include_str!("key_disabled.rs"),
};

/// The rule.
pub struct KeyDisabled;

impl Rule for KeyDisabled {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::of(&[Action::KeyDisable, Action::KeyMaterialDelete])
    }

    fn event(&self, scene: &mut Scene<'_>) {
        let mut draft = scene.draft(&META).severe(scene.raised_if_critical(META.severity));
        let material = scene.event.action == Action::KeyMaterialDelete;
        if material {
            draft = draft.titled("The imported material of a key was deleted");
        }
        if scene.event.outcome == Outcome::Success {
            draft.finding.context.blast_radius =
                Some("Nothing encrypted under this key can be read until it is usable again.".to_owned());
            draft = draft.advise(match material {
                true => advice::look_at_key(scene.event.provider, scene.key),
                false => advice::enable_key(scene.event.provider, scene.key),
            });
        }
        scene.report(draft.advise(advice::who_did_it(&scene.event.principal)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, ev, policy};

    #[test]
    fn fires_and_closes() {
        check(policy(), &[ev(Action::KeyDisable)], &["high key.disabled"]);
        check(policy(), &[ev(Action::KeyMaterialDelete)], &["high key.disabled"]);
        check(
            policy(),
            &[ev(Action::KeyDisable).denied()],
            &["medium key.disabled"],
        );
        check(policy(), &[ev(Action::KeyEnable)], &[]);
        check(
            policy(),
            &[ev(Action::KeyDisable), ev(Action::KeyEnable).by("bob").minute(3)],
            &["high key.disabled", "cleared reverted"],
        );
        check(
            policy(),
            &[ev(Action::KeyDisable), ev(Action::KeyEnable).denied().minute(3)],
            &["high key.disabled"],
        );
    }

    #[test]
    fn a_repair_that_arrives_first_still_closes_it() {
        let repair = ev(Action::KeyEnable).minute(3);
        let deed = ev(Action::KeyDisable).minute(1);
        crate::testing::check_apart(
            policy(),
            &[std::slice::from_ref(&repair), &[deed]],
            &["high key.disabled", "cleared reverted"],
        );
        let again = ev(Action::KeyDisable).minute(5);
        crate::testing::check_apart(policy(), &[&[repair], &[again]], &["high key.disabled"]);
    }
}
