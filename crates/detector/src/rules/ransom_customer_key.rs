//! # Objects written under a key that the caller supplied
//!
//! Finds: writes or copies of objects with a key that only the caller has (SSE-C, CSEK): at least
//! `thresholds.customer_key.writes` by one principal within `thresholds.customer_key.minutes`, or the first one to a
//! bucket that never saw such a write. The provider does not keep such keys: whoever holds them can demand a ransom.
//!
//! Severity: high. The first write to a bucket is only reported after the learning window (`learning_days`).
//!
//! How it can be wrong: applications that use SSE-C on purpose. Write an exception for their buckets.
//!
//! What to do: stop the credential; block such writes in the bucket's encryption settings; restore from versions.

use std::time::Duration;

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::event::Outcome;
use keyvigil_model::facts::Facts;
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::rule::{Attempts, Fold, Learns, Naming, Rule, Scene, tag};
use crate::state::first_seen::Sighting;
use crate::state::window::Count;
use crate::state::{hash, hash_all};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "ransom.customer_key",
    title: "Objects were written under a key that the caller supplied",
    severity: Severity::High,
    references: &["SOC2 CC6.1", "SOC2 CC7.2", "ATT&CK T1486"],
    source: include_str!("ransom_customer_key.rs"),
};

const REMEMBERED: Duration = Duration::from_secs(400 * 86_400);

/// The rule.
pub struct RansomCustomerKey;

impl Rule for RansomCustomerKey {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::of(&[Action::ObjectWriteCustomerKey])
    }

    fn event(&self, scene: &mut Scene<'_>) {
        let Facts::CustomerKeyWrite { bucket, object } = &scene.event.facts else {
            return;
        };
        if scene.event.outcome != Outcome::Success {
            return;
        }
        let principal = scene.event.principal.id.as_str();
        let limits = &scene.policy.thresholds.customer_key;
        let span = Duration::from_secs(u64::from(limits.minutes) * 60);
        let group = hash_all(&[META.id, principal]);
        let what = object.as_ref().map_or("", |object| object.raw());
        let mark = scene.mark(tag(&hash_all(&[bucket.raw(), what])));
        let full = scene.state.windows.add(group, mark, span, Count::Distinct);
        let bucket_id = hash(bucket.raw());
        let sighting = scene
            .state
            .customer_key
            .see(&bucket_id, &bucket_id, scene.event.time, REMEMBERED);
        let mut draft = scene
            .draft(&META)
            .fact("bucket", bucket.raw())
            .advise(advice::stop_principal(&scene.event.principal));
        draft.naming = Naming::Chosen;
        draft.attempts = Attempts::Same;
        if full.distinct >= limits.writes as usize {
            if !scene.state.windows.alarm(group, &full, span) {
                return;
            }
            draft = draft
                .titled(format!(
                    "{} objects were written under a key that the caller supplied",
                    full.distinct
                ))
                .about(&["burst", principal])
                .fact("objects", full.distinct.to_string())
                .resting_on(full.events());
            draft.finding.context.blast_radius =
                Some("Nobody but the caller can read these objects.".to_owned());
        } else {
            if sighting == Sighting::Known {
                return;
            }
            draft = draft
                .titled("First write to a bucket under a key that the caller supplied")
                .about(&["first", bucket.raw()])
                .normally("No such write to this bucket was seen before.");
            draft.learns = Learns::Yes;
            draft.fold = Fold::Hourly;
        }
        scene.report(draft);
    }
}

#[cfg(test)]
mod tests {
    use keyvigil_model::untrusted::Untrusted;

    use super::*;
    use crate::testing::{Ev, check_rule, ev, learned, policy};

    fn write(n: i64) -> Ev {
        ev(Action::ObjectWriteCustomerKey)
            .no_key()
            .second(n)
            .facts(Facts::CustomerKeyWrite {
                bucket: Untrusted::from("b"),
                object: Some(Untrusted::new(format!("o{n}"))),
            })
    }

    #[test]
    fn a_burst_fires_while_learning_and_a_first_write_after() {
        let writes = |count| (0..count).map(write).collect::<Vec<_>>();
        let (first, high) = ("learning high ransom.customer_key", "high ransom.customer_key");
        check_rule(&META, policy(), &writes(9), &[first]);
        check_rule(&META, policy(), &writes(10), &[first, high]);
        check_rule(&META, policy(), &writes(19), &[first, high]);
        check_rule(&META, policy(), &writes(20), &[first, high, high]);
        check_rule(&META, learned(), &writes(1), &[high]);
        check_rule(&META, learned(), &[write(0).denied()], &[]);
    }
}
