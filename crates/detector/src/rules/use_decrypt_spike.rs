//! # A principal decrypts far more than usual
//!
//! Finds: more decryptions by one principal with one key in five minutes than both `thresholds.decrypt_spike.floor` and
//! the median plus `deviations` times the median absolute deviation of the same hour of the week. The history is four
//! weeks; a pair with less than three weeks is compared with all hours in which it was busy, and a pair without 24
//! such hours with the floor alone.
//!
//! Severity: high; one step lower when a service made the calls on the principal's behalf.
//!
//! How it can be wrong: a migration or a batch job that never ran before. During the learning window (`learning_days`)
//! findings are recorded as suppressed. History is kept for the 2,000 busiest pairs.
//!
//! What to do: find out what was read with the data keys; if nobody answers for it, stop the credential.

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::event::Outcome;
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::rule::{Learns, Rule, Scene};
use crate::state::{Hash, tagged};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "use.decrypt_spike",
    title: "A principal decrypts far more than usual",
    severity: Severity::High,
    references: &["SOC2 CC6.1", "SOC2 CC7.2", "ATT&CK T1530", "ATT&CK T1555"],
    source: include_str!("use_decrypt_spike.rs"),
};

/// The rule.
pub struct UseDecryptSpike;

impl Rule for UseDecryptSpike {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::of(&[Action::KeyDecrypt, Action::KeyReEncrypt])
    }

    fn event(&self, scene: &mut Scene<'_>) {
        if scene.event.outcome != Outcome::Success || scene.key.is_none() || scene.is_service() {
            return;
        }
        let pair: Hash = tagged(&scene.who, &scene.which);
        let count = scene.state.rates.add(pair, scene.event.time);
        let limits = &scene.policy.thresholds.decrypt_spike;
        if count <= limits.floor {
            return;
        }
        let usual = scene.state.rates.usual(&pair, scene.event.time);
        let limit = usual.map_or(limits.floor, |usual| {
            limits.floor.max(
                usual
                    .median
                    .saturating_add(limits.deviations.saturating_mul(usual.deviation)),
            )
        });
        if count <= limit || !scene.state.rates.alarm(&pair, scene.event.time, count) {
            return;
        }
        let normal = match usual {
            Some(usual) => format!(
                "{count} decryptions in five minutes; usual at this hour: {} (deviation {}, from {} samples).",
                usual.median, usual.deviation, usual.samples
            ),
            None => format!(
                "{count} decryptions in five minutes; the pair has too little history, the floor is {}.",
                limits.floor
            ),
        };
        let severity = if scene.is_through_service() {
            META.severity.lowered()
        } else {
            META.severity
        };
        let principal = scene.event.principal.id.as_str();
        let mut draft = scene
            .draft(&META)
            .severe(severity)
            .about(&[scene.target(), principal])
            .fact("in five minutes", count.to_string())
            .fact("limit", limit.to_string())
            .normally(normal)
            .advise(advice::review_use(scene.event.provider, scene.key))
            .advise(advice::stop_principal(&scene.event.principal));
        draft.learns = Learns::Yes;
        scene.report(draft);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Ev, check_rule, ev, learned};

    fn decryptions(count: i64, day: i64) -> Vec<Ev> {
        (0..count)
            .map(|n| ev(Action::KeyDecrypt).by("app").day(day).second(n))
            .collect()
    }

    #[test]
    fn more_than_the_floor_fires_once_and_again_when_it_doubles() {
        check_rule(&META, learned(), &decryptions(50, 0), &[]);
        check_rule(&META, learned(), &decryptions(51, 0), &["high use.decrypt_spike"]);
        check_rule(
            &META,
            learned(),
            &decryptions(101, 0),
            &["high use.decrypt_spike"],
        );
        check_rule(
            &META,
            learned(),
            &decryptions(102, 0),
            &["high use.decrypt_spike", "high use.decrypt_spike"],
        );
        let spread: Vec<_> = (0..200)
            .map(|n| ev(Action::KeyDecrypt).by("app").second(n * 10))
            .collect();
        check_rule(&META, learned(), &spread, &[]);
        let service: Vec<_> = decryptions(80, 0)
            .into_iter()
            .map(|event| event.service("s3.amazonaws.com"))
            .collect();
        check_rule(&META, learned(), &service, &[]);
    }
}
