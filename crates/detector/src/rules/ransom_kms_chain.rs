//! # A ransom through the key service
//!
//! Finds: two or three of these steps in one account within `thresholds.ransom_chain.hours`, in any order:
//! 1. a key from outside: material imported, or a key of an account outside the organisation used;
//! 2. data moved under it: default encryption swapped, or at least `thresholds.ransom_chain.encryptions` data keys or
//!    re-encryptions under that key;
//! 3. locked out: a key destroyed, scheduled for destruction or disabled.
//!
//! Severity: high for two steps, critical for all three. Each step is reported at once by its own rule; this finding
//! rises with them. Attempts that were refused do not count as steps.
//!
//! How it can be wrong: a migration to imported keys. Write an exception for the steps while it lasts.
//!
//! What to do: stop the credential, cancel the destruction of keys, save what can still be read.

use std::time::Duration;

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::event::Outcome;
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::rule::{Fold, Rule, Scene, tag};
use crate::rules::use_cross_account::Outside;
use crate::rules::{
    encryption_default_swapped, key_destroy_scheduled, key_disabled, key_material_imported, key_purged,
    use_cross_account,
};
use crate::state::marks::Suspect;
use crate::state::window::Count;
use crate::state::{Hash, hash, hash_all};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "ransom.kms_chain",
    title: "Steps of a ransom through the key service",
    severity: Severity::High,
    references: &["SOC2 CC6.8", "SOC2 CC7.2", "ATT&CK T1486", "ATT&CK T1485"],
    source: include_str!("ransom_kms_chain.rs"),
};

/// The rule.
pub struct RansomKmsChain;

/// The steps, as tags of marks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    OutsideKey = 1,
    Moved = 2,
    LockedOut = 3,
}

impl Part {
    const ALL: [Self; 3] = [Self::OutsideKey, Self::Moved, Self::LockedOut];

    fn as_str(self) -> &'static str {
        match self {
            Self::OutsideKey => "a key from outside was brought in",
            Self::Moved => "data was moved under it",
            Self::LockedOut => "a key was destroyed or disabled",
        }
    }
}

impl Rule for RansomKmsChain {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn follows(&self) -> &'static [&'static str] {
        &[
            key_material_imported::META.id,
            use_cross_account::META.id,
            encryption_default_swapped::META.id,
            key_destroy_scheduled::META.id,
            key_purged::META.id,
            key_disabled::META.id,
        ]
    }

    fn actions(&self) -> ActionSet {
        ActionSet::of(&[Action::KeyDataKey, Action::KeyEncrypt, Action::KeyReEncrypt])
    }

    /// Counts what is encrypted under a suspect key.
    fn event(&self, scene: &mut Scene<'_>) {
        if scene.state.suspects.is_empty() || !done(scene) {
            return;
        }
        let destination = match scene.event.keys.get(1) {
            Some(second) => hash(scene.inventory.resolve(second).id.as_str()),
            None => scene.which,
        };
        if scene.state.suspects.get(&destination).is_none() {
            return;
        }
        let limits = &scene.policy.thresholds.ransom_chain;
        let span = Duration::from_secs(u64::from(limits.hours) * 3600);
        let group = counting(&destination);
        let mark = scene.mark(tag(&destination));
        let full = scene.state.windows.add(group, mark, span, Count::Every);
        if full.marks.len() == limits.encryptions as usize {
            step(scene, Part::Moved);
        }
    }

    fn followed(&self, scene: &mut Scene<'_>) {
        if !done(scene) {
            return;
        }
        let fired = |id: &str| scene.fired.contains(&id);
        let locked = fired(key_destroy_scheduled::META.id)
            || fired(key_purged::META.id)
            || fired(key_disabled::META.id);
        let swapped = fired(encryption_default_swapped::META.id);
        let foreign_use =
            fired(use_cross_account::META.id) && use_cross_account::outside(scene) == Some(Outside::Key);
        let imported = fired(key_material_imported::META.id);
        if imported || foreign_use {
            suspect(scene);
            step(scene, Part::OutsideKey);
        }
        if swapped {
            step(scene, Part::Moved);
        }
        if locked {
            step(scene, Part::LockedOut);
        }
    }
}

/// Whether the event did something: a refused call is no step.
fn done(scene: &Scene<'_>) -> bool {
    match scene.event.outcome {
        Outcome::Success | Outcome::Unknown => true,
        Outcome::Denied | Outcome::Failed => false,
    }
}

fn counting(key: &Hash) -> Hash {
    keyvigil_model::id::hash_parts(&[b"ransom.kms_chain/count", key])
}

fn suspect(scene: &mut Scene<'_>) {
    if scene.key.is_none() {
        return;
    }
    let row = Suspect {
        account: scene.event.account.as_str().into(),
        since: scene.event.time.as_micros(),
    };
    scene.state.suspects.put(scene.which, row);
}

/// Notes a step of the account and reports when there are two or more.
fn step(scene: &mut Scene<'_>, part: Part) {
    let hours = scene.policy.thresholds.ransom_chain.hours;
    let span = Duration::from_secs(u64::from(hours) * 3600);
    let account = scene.event.account.as_str();
    let group = hash_all(&[META.id, scene.event.provider.as_str(), account]);
    let mark = scene.mark(part as u64);
    let full = scene.state.windows.add(group, mark, span, Count::Distinct);
    if full.distinct < 2 {
        return;
    }
    let severity = if full.distinct >= 3 {
        Severity::Critical
    } else {
        META.severity
    };
    let mut draft = scene
        .draft(&META)
        .titled(format!(
            "{} of 3 steps of a ransom through the key service",
            full.distinct
        ))
        .severe(severity)
        .about(&[account])
        .resting_on(full.events())
        .advise(advice::stop_principal(&scene.event.principal))
        .advise(advice::look_at_key(scene.event.provider, scene.key));
    for mark in &full.marks {
        for part in Part::ALL {
            if part as u64 == mark.tag {
                let at = keyvigil_model::time::Timestamp::from_micros(mark.at);
                draft = draft.fact(part.as_str(), format!("{at}, record {}", mark.event));
            }
        }
    }
    draft.fold = Fold::Hourly;
    draft.finding.context.blast_radius = Some(
        "If this is a ransom, data encrypted under the new key can soon be read by nobody here.".to_owned(),
    );
    scene.report(draft);
}

#[cfg(test)]
mod tests {
    use keyvigil_model::facts::Facts;
    use keyvigil_model::key::KeyTier;

    use super::*;
    use crate::testing::{Ev, check_rule, check_rule_apart, ev, key_ref, learned};

    fn import() -> Ev {
        ev(Action::KeyImport).key("evil").minute(0)
    }

    fn swap() -> Ev {
        ev(Action::DefaultEncryptionSet)
            .no_key()
            .resource("arn:aws:s3:::b")
            .facts(Facts::Encryption {
                tier: Some(KeyTier::CustomerManaged),
                key: Some(key_ref("999999999999", "evil")),
            })
            .minute(10)
    }

    fn destroy() -> Ev {
        ev(Action::KeyScheduleDestroy).key("good").minute(20)
    }

    #[test]
    fn two_steps_are_high_and_three_critical_in_any_order() {
        let (high, critical) = ("high ransom.kms_chain", "critical ransom.kms_chain");
        check_rule(&META, learned(), &[import()], &[]);
        check_rule(&META, learned(), &[import(), destroy()], &[high]);
        check_rule(&META, learned(), &[swap()], &[]);
        check_rule(&META, learned(), &[import(), swap()], &[high]);
        check_rule(
            &META,
            learned(),
            &[import(), swap(), destroy()],
            &[high, critical],
        );
        check_rule_apart(
            &META,
            learned(),
            &[&[destroy()], &[swap()], &[import()]],
            &[high, critical],
        );
        check_rule(&META, learned(), &[import(), destroy().denied()], &[]);
        check_rule(&META, learned(), &[import(), destroy().day(2)], &[]);
    }

    #[test]
    fn many_data_keys_under_the_outside_key_are_a_step() {
        let mut events = vec![import()];
        events.extend((0..19).map(|n| ev(Action::KeyDataKey).key("evil").minute(1).second(60 + n)));
        check_rule(&META, learned(), &events, &[]);
        events.push(ev(Action::KeyDataKey).key("evil").minute(5));
        check_rule(&META, learned(), &events, &["high ransom.kms_chain"]);
    }
}
