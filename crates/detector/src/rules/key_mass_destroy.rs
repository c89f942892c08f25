//! # Several keys destroyed or disabled at once
//!
//! Finds: one principal that destroys or disables at least `thresholds.mass_destroy.keys` distinct keys within
//! `thresholds.mass_destroy.minutes`; attempts count. It counts findings of `key.destroy_scheduled`, `key.purged` and
//! `key.disabled`, so an exception for those holds here too.
//!
//! Severity: critical, also when every attempt was refused: somebody is trying.
//!
//! How it can be wrong: an account that is being wound up. Write an exception for the principal and the days.
//!
//! What to do: stop the credential first, then undo key by key.

use std::time::Duration;

use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::rule::{Attempts, Rule, Scene, tag};
use crate::rules::{key_destroy_scheduled, key_disabled, key_purged};
use crate::state::window::Count;
use crate::state::{hash, hash_all};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "key.mass_destroy",
    title: "Several keys were destroyed or disabled in a short time",
    severity: Severity::Critical,
    references: &["SOC2 CC6.1", "SOC2 CC7.2", "ATT&CK T1485"],
    source: include_str!("key_mass_destroy.rs"),
};

/// The rule.
pub struct KeyMassDestroy;

impl Rule for KeyMassDestroy {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn follows(&self) -> &'static [&'static str] {
        &[
            key_destroy_scheduled::META.id,
            key_purged::META.id,
            key_disabled::META.id,
        ]
    }

    fn followed(&self, scene: &mut Scene<'_>) {
        // The provider ends waiting periods by itself; whoever began them was counted then.
        if scene.is_service() {
            return;
        }
        let limits = &scene.policy.thresholds.mass_destroy;
        let span = Duration::from_secs(u64::from(limits.minutes) * 60);
        let principal = scene.event.principal.id.as_str();
        let group = hash_all(&[META.id, scene.event.account.as_str(), principal]);
        let mark = scene.mark(tag(&hash(scene.target())));
        let full = scene.state.windows.add(group, mark, span, Count::Distinct);
        let enough = full.distinct >= limits.keys as usize;
        if !enough || !scene.state.windows.alarm(group, &full, span) {
            return;
        }
        let mut draft = scene
            .draft(&META)
            .titled(format!(
                "{} keys within {} minutes: destroyed, disabled, or an attempt at it",
                full.distinct, limits.minutes
            ))
            .about(&[principal])
            .fact("distinct keys", full.distinct.to_string())
            .fact("first at", full.start().to_string())
            .resting_on(full.events())
            .advise(advice::stop_principal(&scene.event.principal));
        draft.attempts = Attempts::Same;
        scene.report(draft);
    }
}

#[cfg(test)]
mod tests {
    use keyvigil_model::action::Action;

    use crate::testing::{check, check_apart, ev, policy};

    #[test]
    fn three_distinct_keys_in_ten_minutes_in_any_order() {
        let disable = |key: &str, minute| ev(Action::KeyDisable).key(key).minute(minute);
        let three = [
            "high key.disabled",
            "high key.disabled",
            "high key.disabled",
            "critical key.mass_destroy",
        ];
        check(
            policy(),
            &[disable("a", 0), disable("b", 4), disable("c", 10)],
            &three,
        );
        check_apart(
            policy(),
            &[&[disable("c", 10)], &[disable("a", 0)], &[disable("b", 4)]],
            &three,
        );
        check(
            policy(),
            &[disable("a", 0), disable("b", 4), disable("c", 11)],
            &three[..3],
        );
        check(
            policy(),
            &[disable("a", 0), disable("b", 1), disable("a", 2)],
            &three[..3],
        );
        check(
            policy(),
            &[disable("a", 0), disable("b", 1), disable("c", 2).by("bob")],
            &three[..3],
        );
    }

    #[test]
    fn attempts_count() {
        let denied = |key: &str| ev(Action::KeyScheduleDestroy).key(key).denied();
        check(
            policy(),
            &[denied("a"), denied("b"), denied("c")],
            &[
                "medium key.destroy_scheduled",
                "medium key.destroy_scheduled",
                "medium key.destroy_scheduled",
                "critical key.mass_destroy",
            ],
        );
    }
}
