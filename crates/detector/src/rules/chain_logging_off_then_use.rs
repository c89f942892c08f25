//! # Logging was cut, then keys or secrets were used
//!
//! Finds: an audit log that was stopped or narrowed with success, and within `thresholds.logging_off.after_minutes`
//! (or up to `before_minutes` earlier) in the same account
//! - any use of a key or secret by the same principal,
//! - the destruction, export or re-sharing of a key or secret by anybody, or
//! - the first use of a key by a principal (as `use.first_by_principal` sees it).
//!
//! The ordinary traffic of services and known applications in that hour is left out: without that, every busy account
//! would turn every change of its trail into an emergency.
//!
//! Severity: critical. The cut itself is reported at once by `audit.stopped` or `audit.narrowed`.
//!
//! How it can be wrong: an administrator who changes a trail and also works with keys. Write an exception for the rule
//! and that role while the work lasts.
//!
//! What to do: start logging again, then reconstruct the gap from other logs (bucket access logs, the key service's
//! other accounts, the network).

use std::time::Duration;

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::event::Outcome;
use keyvigil_model::facts::Facts;
use keyvigil_model::id::EventId;
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::rule::{Fold, Rule, Scene, tag};
use crate::rules::{audit_narrowed, audit_stopped, use_first_by_principal};
use crate::state::marks::{Cut, Cuts, LastUse};
use crate::state::{Hash, tagged};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "chain.logging_off_then_use",
    title: "Logging was cut and keys or secrets were used",
    severity: Severity::Critical,
    references: &["SOC2 CC6.8", "SOC2 CC7.2", "ATT&CK T1562.008", "ATT&CK T1555"],
    source: include_str!("chain_logging_off_then_use.rs"),
};

/// Cuts remembered for an account.
const MAX_CUTS: usize = 16;
/// The last use moves at most once in so many microseconds.
const GRAIN: i64 = 60_000_000;

/// Whether less is recorded from now on. Switching off the signed digests is a finding of its own and hides nothing.
fn cuts_logging(facts: &Facts) -> bool {
    match facts {
        Facts::AuditScope(scope) => scope.narrows() || scope.not_understood,
        _stopped_or_deleted => true,
    }
}

/// The rule.
pub struct ChainLoggingOffThenUse;

impl Rule for ChainLoggingOffThenUse {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::keys_and_secrets()
    }

    fn follows(&self) -> &'static [&'static str] {
        &[audit_stopped::META.id, audit_narrowed::META.id]
    }

    fn event(&self, scene: &mut Scene<'_>) {
        let event = scene.event;
        if event.outcome != Outcome::Success || scene.is_service() || !matters(event.action) {
            return;
        }
        let at = event.time.as_micros();
        note_use(scene, at);
        if scene.state.cuts.is_empty() {
            return;
        }
        let Some(cuts) = scene.state.cuts.get(&scene.place) else {
            return;
        };
        let limits = &scene.policy.thresholds.logging_off;
        let after = micros(limits.after_minutes);
        let who = tag(&scene.who);
        let bad = is_damage(event.action) || scene.fired.contains(&use_first_by_principal::META.id);
        let hit = cuts.list.iter().rev().find(|cut| {
            let passed = at - cut.at;
            (0..=after).contains(&passed) && (bad || cut.who == who)
        });
        let Some(cut) = hit.cloned() else {
            return;
        };
        let minutes = (at - cut.at) / 60_000_000;
        tell(
            scene,
            &cut,
            format!("{minutes} minutes after logging was cut"),
            Vec::new(),
        );
    }

    fn followed(&self, scene: &mut Scene<'_>) {
        if scene.event.outcome != Outcome::Success || !cuts_logging(&scene.event.facts) {
            return;
        }
        let at = scene.event.time.as_micros();
        let id = scene.place;
        let cut = Cut {
            at,
            who: tag(&scene.who),
            event: scene.event.id.as_str().into(),
        };
        let cuts = scene.state.cuts.entry(id, Cuts::default);
        cuts.list.push(cut.clone());
        cuts.list.sort_unstable_by_key(|cut| cut.at);
        if cuts.list.len() > MAX_CUTS {
            cuts.list.remove(0);
        }
        // The use may have come before the cut, or its record before the record of the cut.
        let limits = &scene.policy.thresholds.logging_off;
        let Some(last) = scene.state.last_use.get(&user(scene)) else {
            return;
        };
        let distance = last.at - at;
        if distance < -micros(limits.before_minutes) || distance > micros(limits.after_minutes) {
            return;
        }
        let used = vec![EventId::from(&*last.event)];
        let how = match distance >= 0 {
            true => format!(
                "{} minutes after logging was cut ({})",
                distance / 60_000_000,
                last.action
            ),
            false => format!(
                "{} minutes before logging was cut ({})",
                -distance / 60_000_000,
                last.action
            ),
        };
        tell(scene, &cut, how, used);
    }
}

/// Looking at configuration is no use.
fn matters(action: Action) -> bool {
    match action {
        Action::KeyRead | Action::KeyOther | Action::SecretList | Action::SecretOther => false,
        other => other.is_key() || other.is_secret(),
    }
}

/// What nobody does in passing.
fn is_damage(action: Action) -> bool {
    matches!(
        action,
        Action::KeyScheduleDestroy
            | Action::KeyDestroy
            | Action::KeyDisable
            | Action::KeyMaterialDelete
            | Action::KeyExport
            | Action::KeyPolicySet
            | Action::SecretDestroy
            | Action::SecretPolicySet
    )
}

fn micros(minutes: u32) -> i64 {
    Duration::from_secs(u64::from(minutes) * 60).as_micros() as i64
}

fn user(scene: &Scene<'_>) -> Hash {
    tagged(&scene.place, &scene.who)
}

fn note_use(scene: &mut Scene<'_>, at: i64) {
    let id = user(scene);
    if scene
        .state
        .last_use
        .get(&id)
        .is_some_and(|last| at < last.at + GRAIN)
    {
        return;
    }
    let row = LastUse {
        at,
        event: scene.event.id.as_str().into(),
        action: scene.event.action.as_str().into(),
    };
    scene.state.last_use.put(id, row);
}

fn tell(scene: &mut Scene<'_>, cut: &Cut, how: String, used: Vec<EventId>) {
    let mut earlier = vec![EventId::from(&*cut.event)];
    earlier.extend(used);
    let mut draft = scene
        .draft(&META)
        .about(&[scene.event.account.as_str(), scene.event.principal.id.as_str()])
        .fact("logging was cut by record", &*cut.event)
        .fact("use", how)
        .resting_on(earlier)
        .advise(advice::check_logging(scene.event))
        .advise(advice::stop_principal(&scene.event.principal));
    draft.fold = Fold::Hourly;
    scene.report(draft);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Ev, check_rule, check_rule_apart, ev, learned, policy, secrets};

    fn stop() -> Ev {
        ev(Action::AuditStop)
            .no_key()
            .resource("trail")
            .by("mallory")
            .minute(100)
    }

    fn decrypt(principal: &str, minute: i64) -> Ev {
        ev(Action::KeyDecrypt).by(principal).minute(minute)
    }

    #[test]
    fn the_same_principal_within_the_hour_in_any_order() {
        let fires = &["critical chain.logging_off_then_use"];
        check_rule(&META, policy(), &[stop(), decrypt("mallory", 160)], fires);
        check_rule(&META, policy(), &[stop(), decrypt("mallory", 161)], &[]);
        check_rule_apart(&META, policy(), &[&[decrypt("mallory", 130)], &[stop()]], fires);
        check_rule(&META, policy(), &[decrypt("mallory", 91), stop()], fires);
        check_rule(&META, policy(), &[decrypt("mallory", 89), stop()], &[]);
        check_rule(&META, policy(), &[stop().denied(), decrypt("mallory", 130)], &[]);
        let read = ev(Action::SecretRead)
            .no_key()
            .facts(secrets(&["s"]))
            .by("mallory")
            .minute(110);
        check_rule(&META, policy(), &[stop(), read], fires);
    }

    #[test]
    fn others_only_when_they_do_damage_or_are_new() {
        let fires = &["critical chain.logging_off_then_use"];
        check_rule(&META, policy(), &[stop(), decrypt("app", 130)], &[]);
        check_rule(
            &META,
            learned(),
            &[decrypt("app", 0), stop(), decrypt("app", 130)],
            &[],
        );
        check_rule(
            &META,
            learned(),
            &[decrypt("app", 0), stop(), decrypt("new", 130)],
            fires,
        );
        check_rule(
            &META,
            policy(),
            &[stop(), ev(Action::KeyScheduleDestroy).by("bob").minute(130)],
            fires,
        );
        check_rule(
            &META,
            policy(),
            &[stop(), ev(Action::KeyRead).by("mallory").minute(130)],
            &[],
        );
        let service = decrypt("mallory", 130).service("s3.amazonaws.com");
        check_rule(&META, policy(), &[stop(), service], &[]);
    }
}
