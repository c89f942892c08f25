//! # A key was scheduled for destruction
//!
//! Finds: the request to destroy a key (AWS `ScheduleKeyDeletion`), also when it was refused or failed.
//!
//! Severity: high; critical when the key is one of the policy's `critical_keys`, when something that the inventory knows
//! is encrypted under it, or when the waiting period is at most `thresholds.destroy.short_window_days`. An attempt is
//! one step lower.
//!
//! How it can be wrong: keys of test accounts are destroyed in the ordinary course of work. Write an exception for the
//! pipeline that does it, with an owner and an end.
//!
//! What to do: everything encrypted under the key is lost for ever at the deadline. Ask whoever did it; if in doubt,
//! cancel first and ask later. A cancelled key stays disabled until somebody enables it.
//!
//! Closes: when the destruction is cancelled.

use std::time::Duration;

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::event::Outcome;
use keyvigil_model::facts::Facts;
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::rule::{Rule, Scene};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "key.destroy_scheduled",
    title: "A key was scheduled for destruction",
    severity: Severity::High,
    references: &["SOC2 CC6.1", "SOC2 CC7.2", "ATT&CK T1485"],
    source: include_str!("key_destroy_scheduled.rs"),
};

/// The waiting period that applies when the caller names none: KMS API reference, `PendingWindowInDays`.
const DEFAULT_WINDOW_DAYS: u32 = 30;

/// The rule.
pub struct KeyDestroyScheduled;

impl Rule for KeyDestroyScheduled {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::of(&[Action::KeyScheduleDestroy])
    }

    fn event(&self, scene: &mut Scene<'_>) {
        let event = scene.event;
        let stated = match &event.facts {
            Facts::Destruction { window_days } => *window_days,
            _ => None,
        };
        let days = stated.unwrap_or(DEFAULT_WINDOW_DAYS);
        let short = days <= scene.policy.thresholds.destroy.short_window_days;
        let in_use = scene
            .key
            .is_some_and(|key| scene.inventory.protects(&key.id).is_some());
        let severity = match scene.class.critical || short || in_use {
            true => Severity::Critical,
            false => META.severity,
        };
        let mut draft = scene.draft(&META).severe(severity).fact(
            "waiting period",
            match stated {
                Some(days) => format!("{days} days"),
                None => format!("not stated; the default is {DEFAULT_WINDOW_DAYS} days"),
            },
        );
        if event.outcome == Outcome::Success {
            draft = draft.titled(format!("A key was scheduled for destruction in {days} days"));
            draft.finding.context.deadline =
                Some(event.time.plus(Duration::from_secs(u64::from(days) * 86_400)));
            draft.finding.context.blast_radius = Some(
                "The key cannot be used from now on; at the deadline everything encrypted under it is lost for ever."
                    .to_owned(),
            );
            draft = draft.advise(advice::undo_destruction(event.provider, scene.key));
        }
        scene.report(draft.advise(advice::who_did_it(&event.principal)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, ev, policy};

    fn scheduled(days: u32) -> Facts {
        Facts::Destruction {
            window_days: Some(days),
        }
    }

    #[test]
    fn fires_by_window_criticality_and_outcome() {
        let schedule = || ev(Action::KeyScheduleDestroy).facts(scheduled(30));
        check(policy(), &[schedule()], &["high key.destroy_scheduled"]);
        check(
            policy(),
            &[schedule().facts(scheduled(7))],
            &["critical key.destroy_scheduled"],
        );
        check(
            policy(),
            &[schedule().denied()],
            &["medium key.destroy_scheduled"],
        );
        check(
            policy(),
            &[schedule().failed()],
            &["medium key.destroy_scheduled"],
        );
        let mut critical = policy();
        critical.critical_keys = vec!["*key/k1".to_owned()];
        check(
            critical,
            &[schedule().key("k1")],
            &["critical key.destroy_scheduled"],
        );
    }

    #[test]
    fn a_cancelled_destruction_closes_it_and_is_quiet_itself() {
        let cancel = ev(Action::KeyCancelDestroy).minute(5);
        check(policy(), std::slice::from_ref(&cancel), &[]);
        check(
            policy(),
            &[ev(Action::KeyScheduleDestroy).facts(scheduled(30)), cancel],
            &["high key.destroy_scheduled", "cleared reverted"],
        );
    }
}
