//! # An audit log was stopped or deleted
//!
//! Finds: the end of an audit log, also when the attempt was refused or failed (a trail that does not exist is a common
//! failure of attack tools).
//!
//! Severity: critical. An attempt is one step lower.
//!
//! How it can be wrong: short-lived trails of tests. Write an exception for their account.
//!
//! What to do: start it again at once: as long as it is off, keyvigil and everybody else is blind there.
//!
//! Closes: when the log is started again, or the control on it failed after the stop and passes again.

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::event::Outcome;
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::rule::{Rule, Scene};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "audit.stopped",
    title: "An audit log was stopped or deleted",
    severity: Severity::Critical,
    references: &["SOC2 CC6.8", "SOC2 CC7.2", "CIS AWS 4.5", "ATT&CK T1562.008"],
    source: include_str!("audit_stopped.rs"),
};

/// The rule.
pub struct AuditStopped;

impl Rule for AuditStopped {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::of(&[Action::AuditStop])
    }

    fn event(&self, scene: &mut Scene<'_>) {
        let mut draft = scene
            .resource_draft(&META)
            .advise(advice::check_logging(scene.event))
            .advise(advice::who_did_it(&scene.event.principal));
        if scene.event.outcome == Outcome::Success {
            draft.finding.context.blast_radius =
                Some("Until it runs again, use of keys in its scope may leave no record.".to_owned());
        }
        scene.report(draft);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, ev, policy};

    #[test]
    fn fires_also_on_attempts_and_closes_with_a_start() {
        let stop = || ev(Action::AuditStop).no_key().resource("trail");
        check(policy(), &[stop()], &["critical audit.stopped"]);
        check(policy(), &[stop().denied()], &["high audit.stopped"]);
        check(policy(), &[stop().failed()], &["high audit.stopped"]);
        let start = ev(Action::AuditStart).no_key().resource("trail").minute(2);
        check(policy(), std::slice::from_ref(&start), &[]);
        check(
            policy(),
            &[stop(), start],
            &["critical audit.stopped", "cleared reverted"],
        );
        let other = ev(Action::AuditStart).no_key().resource("other").minute(2);
        check(policy(), &[stop(), other], &["critical audit.stopped"]);
    }
}
