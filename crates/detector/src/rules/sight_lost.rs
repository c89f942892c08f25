//! # keyvigil lost sight of something
//!
//! Finds: a source or poller that is refused or fails: at once when it is refused for the second time in a row, and after
//! fifteen minutes of any other failure. A permission that a full reading of the configuration was refused is told at
//! once: nobody reads that again soon. What cannot be seen is never green.
//!
//! Severity: high when a permission or credential is lost, medium otherwise.
//!
//! How it can be wrong: an outage of the provider looks the same as one of ours.
//!
//! What to do: `keyvigil doctor` says which permission is missing and which checks go blind without it.
//!
//! Closes: when the source answers again.

use keyvigil_model::health::{SightState, SourceHealth};
use keyvigil_model::id::{AccountId, Region};
use keyvigil_model::severity::Severity;
use keyvigil_model::verdict::UnknownReason;

use crate::advice;
use crate::check::CheckMeta;
use crate::engine::report::fingerprint;
use crate::rule::{Draft, Rule, Stage};
use crate::state::coverage::Sight;
use crate::state::hash_all;

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "sight.lost",
    title: "keyvigil lost sight of a source",
    severity: Severity::High,
    references: &["SOC2 CC6.8", "SOC2 CC7.2"],
    source: include_str!("sight_lost.rs"),
};

/// A failure that may pass is told after so many microseconds.
const PATIENCE: i64 = 15 * 60 * 1_000_000;

/// How the source of an observation about keyvigil's own permissions ends.
pub(crate) const PERMISSIONS: &str = "/permissions";

/// The rule.
pub struct SightLost;

impl Rule for SightLost {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn health(&self, stage: &mut Stage<'_>, health: &SourceHealth) {
        let account = health.account.as_ref().map_or("", AccountId::as_str);
        let region = health.region.as_ref().map_or("", Region::as_str);
        let id = hash_all(&[health.source.as_str(), account, region]);
        let (call, reason) = match &health.state {
            SightState::Seeing => {
                let gone = stage.state.sight.remove(&id);
                if let Some(sight) = gone
                    && sight.reported
                {
                    stage
                        .returned
                        .push(keyvigil_model::id::Fingerprint(sight.fingerprint));
                }
                return;
            }
            SightState::Blind { call, reason } => (call, *reason),
        };
        let now = stage.now.as_micros();
        let denied = reason == UnknownReason::Denied;
        let draft = draft(stage, health, call, reason);
        let print = fingerprint(&draft);
        let sight = stage.state.sight.entry(id, || Sight {
            since: now,
            last: now,
            times: 0,
            reported: false,
            fingerprint: print.0,
        });
        sight.times = sight.times.saturating_add(1);
        sight.last = now;
        let due = if denied {
            sight.times >= 2 || health.source.as_str().ends_with(PERMISSIONS)
        } else {
            now - sight.since >= PATIENCE
        };
        if due && !sight.reported {
            sight.reported = true;
            stage.drafts.push(draft);
        }
    }
}

fn draft(stage: &Stage<'_>, health: &SourceHealth, call: &str, reason: UnknownReason) -> Draft {
    let denied = reason == UnknownReason::Denied;
    let account = health
        .account
        .clone()
        .unwrap_or_else(|| AccountId::from("unknown"));
    let region = health.region.clone().unwrap_or_else(|| Region::from("global"));
    let severity = if denied {
        META.severity
    } else {
        META.severity.lowered()
    };
    Draft::of_state(
        &META,
        &health.source,
        (health.provider, account, region.clone()),
        stage.now,
    )
    .severe(severity)
    .about(&[health.source.as_str(), region.as_str()])
    .saying(&format!("{call} fails for source {}: {reason}.", health.source))
    .fact("call", call)
    .fact("reason", reason.as_str())
    .advise(advice::check_source())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{World, policy};

    #[test]
    fn a_refusal_is_told_the_second_time_and_others_after_a_while() {
        let mut world = World::new(policy());
        world.blind(0, UnknownReason::Denied);
        assert_eq!(world.log(), Vec::<String>::new());
        world.blind(1, UnknownReason::Denied);
        world.blind(2, UnknownReason::Denied);
        assert_eq!(world.log(), ["high sight.lost"]);
        world.seeing(3);
        assert_eq!(world.log(), ["high sight.lost", "cleared source_returned"]);

        let mut world = World::new(policy());
        world.blind(0, UnknownReason::Throttled);
        world.blind(14, UnknownReason::Throttled);
        assert_eq!(world.log(), Vec::<String>::new());
        world.blind(15, UnknownReason::Throttled);
        assert_eq!(world.log(), ["medium sight.lost"]);
    }
}
