//! # A key is gone for good
//!
//! Finds: the final destruction of a key (AWS `DeleteKey`, which the service performs at the end of the waiting
//! period; a purge elsewhere).
//!
//! Severity: critical. A refused attempt is one step lower.
//!
//! How it can be wrong: the end of a destruction that was announced long ago and is wanted. The earlier finding
//! `key.destroy_scheduled` says who asked for it.
//!
//! What to do: find what was encrypted under the key and restore it from copies under another key. Nothing brings the
//! key back.

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::event::Outcome;
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::rule::{Rule, Scene};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "key.purged",
    title: "A key was destroyed for good",
    severity: Severity::Critical,
    references: &["SOC2 CC6.1", "SOC2 CC7.2", "ATT&CK T1485"],
    source: include_str!("key_purged.rs"),
};

/// The rule.
pub struct KeyPurged;

impl Rule for KeyPurged {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::of(&[Action::KeyDestroy])
    }

    fn event(&self, scene: &mut Scene<'_>) {
        let mut draft = scene.draft(&META);
        if scene.event.outcome == Outcome::Success {
            draft.finding.context.blast_radius =
                Some("Everything encrypted only under this key is lost.".to_owned());
        }
        scene.report(draft.advise(advice::look_at_key(scene.event.provider, scene.key)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, ev, policy};

    #[test]
    fn fires_on_success_and_attempt() {
        check(
            policy(),
            &[ev(Action::KeyDestroy).service("AWS Internal")],
            &["critical key.purged"],
        );
        check(policy(), &[ev(Action::KeyDestroy).denied()], &["high key.purged"]);
        check(policy(), &[ev(Action::KeyRead)], &[]);
    }
}
