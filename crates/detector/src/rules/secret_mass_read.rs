//! # Many secrets read in a short time
//!
//! Finds: one principal that reads at least `thresholds.mass_read.per_five_minutes` distinct secrets in five minutes or
//! `per_day` in 24 hours. Reading the same secret often does not count; a parameter read without decryption neither. A
//! batch read that names no secret counts as one.
//!
//! Severity: high.
//!
//! How it can be wrong: operators that copy secrets into clusters (External Secrets, CSI drivers). Write an exception
//! for their role.
//!
//! What to do: stop the credential, then rotate every secret in the list, the most powerful first.

use std::time::Duration;

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::event::Outcome;
use keyvigil_model::facts::Facts;
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::rule::{Rule, Scene, tag};
use crate::state::window::{Count, Full};
use crate::state::{hash, hash_all};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "secret.mass_read",
    title: "Many secrets were read in a short time",
    severity: Severity::High,
    references: &["SOC2 CC6.1", "SOC2 CC7.2", "ATT&CK T1555.006"],
    source: include_str!("secret_mass_read.rs"),
};

const FIVE_MINUTES: Duration = Duration::from_secs(300);
const DAY: Duration = Duration::from_secs(86_400);

/// The rule.
pub struct SecretMassRead;

impl Rule for SecretMassRead {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::of(&[Action::SecretRead])
    }

    fn event(&self, scene: &mut Scene<'_>) {
        if scene.event.outcome != Outcome::Success || scene.is_service() {
            return;
        }
        let names = names(scene);
        let limits = &scene.policy.thresholds.mass_read;
        let (burst, daily) = (limits.per_five_minutes as usize, limits.per_day as usize);
        let principal = scene.event.principal.id.as_str();
        let short = hash_all(&[META.id, "burst", principal]);
        let long = hash_all(&[META.id, "day", principal]);
        let mut told: Option<(Full, &str)> = None;
        for name in names {
            let mark = scene.mark(tag(&hash(&name)));
            let full = scene.state.windows.add(long, mark.clone(), DAY, Count::Distinct);
            if full.distinct >= daily && scene.state.windows.alarm(long, &full, DAY) {
                told = Some((full, "24 hours"));
            }
            let full = scene
                .state
                .windows
                .add(short, mark, FIVE_MINUTES, Count::Distinct);
            if full.distinct >= burst && scene.state.windows.alarm(short, &full, FIVE_MINUTES) {
                told = Some((full, "five minutes"));
            }
        }
        let Some((full, period)) = told else {
            return;
        };
        scene.report(
            scene
                .draft(&META)
                .titled(format!("{} secrets were read within {period}", full.distinct))
                .about(&[principal])
                .fact("distinct secrets", full.distinct.to_string())
                .fact("since", full.start().to_string())
                .resting_on(full.events())
                .advise(advice::stop_principal(&scene.event.principal)),
        );
    }
}

/// The secrets whose values the call returned.
fn names(scene: &Scene<'_>) -> Vec<String> {
    let Facts::SecretRead { secrets, decrypted } = &scene.event.facts else {
        return vec![scene.target().to_owned()];
    };
    if !*decrypted {
        return Vec::new();
    }
    if secrets.is_empty() {
        return vec![scene.target().to_owned()];
    }
    secrets.iter().map(|secret| secret.raw().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Ev, check_rule, ev, learned, secrets};

    fn reads(count: i64, gap: i64) -> Vec<Ev> {
        (0..count)
            .map(|n| {
                ev(Action::SecretRead)
                    .no_key()
                    .facts(secrets(&[&format!("s{n}")]))
                    .second(n * gap)
            })
            .collect()
    }

    #[test]
    fn distinct_secrets_count() {
        let fires = &["high secret.mass_read"];
        check_rule(&META, learned(), &reads(9, 1), &[]);
        check_rule(&META, learned(), &reads(10, 1), fires);
        check_rule(&META, learned(), &reads(24, 3000), &[]);
        check_rule(&META, learned(), &reads(25, 3000), fires);
        let same: Vec<_> = (0..40)
            .map(|n| ev(Action::SecretRead).no_key().facts(secrets(&["s"])).second(n))
            .collect();
        check_rule(&META, learned(), &same, &[]);
        let batch: Vec<_> = (0..10).map(|n| format!("s{n}")).collect();
        let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
        check_rule(
            &META,
            learned(),
            &[ev(Action::SecretRead).no_key().facts(secrets(&batch))],
            fires,
        );
        let denied: Vec<_> = reads(12, 1).into_iter().map(|event| event.denied()).collect();
        check_rule(&META, learned(), &denied, &[]);
    }
}
