//! # The rotation of a key is overdue
//!
//! Finds: a key of which the audit log says when it was created or last rotated, and which was not rotated within
//! `rotation.max_age_days` plus `rotation.grace_days`. It is a timer: nothing happens when a rotation does not happen.
//!
//! Keys that a poller reads are judged by the control on rotation, which knows their whole history; its finding shares
//! the identity of this one. This rule speaks for the keys that only the audit log shows.
//!
//! Severity: medium; high at twice the accepted age.
//!
//! How it can be wrong: keys that cannot rotate by themselves (asymmetric, imported, external) look the same in the log
//! if their creation was not seen. Let a poller read them, or write an exception.
//!
//! What to do: rotate on demand, then switch automatic rotation on.
//!
//! Closes: when a rotation is seen, or the key is destroyed.

use std::time::Duration;

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::event::Outcome;
use keyvigil_model::facts::Facts;
use keyvigil_model::id::{AccountId, KeyId, Region, SourceId};
use keyvigil_model::key::{KeyForm, KeyOrigin, KeyRef};
use keyvigil_model::provider::Provider;
use keyvigil_model::severity::Severity;
use keyvigil_model::time::Timestamp;

use crate::advice;
use crate::check::CheckMeta;
use crate::rule::{Draft, Fold, Rule, Scene, Stage};
use crate::state::marks::Rotated;

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "rotation.overdue",
    title: "The rotation of a key is overdue",
    severity: Severity::Medium,
    references: &["SOC2 CC6.1", "CIS AWS 4.6"],
    source: include_str!("rotation_overdue.rs"),
};

/// The rule.
pub struct RotationOverdue;

impl Rule for RotationOverdue {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::of(&[
            Action::KeyCreate,
            Action::KeyRotate,
            Action::KeyImport,
            Action::KeyScheduleDestroy,
            Action::KeyCancelDestroy,
            Action::KeyDestroy,
        ])
    }

    /// Keeps the time of the last rotation.
    fn event(&self, scene: &mut Scene<'_>) {
        let (event, Some(key)) = (scene.event, scene.key) else {
            return;
        };
        if event.outcome != Outcome::Success || key.form != KeyForm::Canonical {
            return;
        }
        let at = event.time.as_micros();
        let known = scene.state.rotated.get(&scene.which);
        let outside = matches!(
            event.facts,
            Facts::Creation {
                origin: Some(KeyOrigin::Imported | KeyOrigin::ExternalStore | KeyOrigin::DedicatedHsm),
                ..
            }
        );
        let exempt = match event.action {
            Action::KeyImport | Action::KeyDestroy | Action::KeyScheduleDestroy => true,
            Action::KeyCancelDestroy => false,
            _ => outside || known.is_some_and(|row| row.exempt),
        };
        let moves = matches!(event.action, Action::KeyCreate | Action::KeyRotate);
        // A key first seen when it is destroyed or imported says nothing about its age.
        if known.is_none() && !moves {
            return;
        }
        let last = known.map_or(at, |row| if moves { row.at.max(at) } else { row.at });
        let row = Rotated {
            key: key.id.as_str().into(),
            provider: event.provider.as_str().into(),
            account: scene.home().as_str().into(),
            region: key.region.as_ref().unwrap_or(&event.region).as_str().into(),
            at: last,
            created: event.action == Action::KeyCreate && known.is_none(),
            exempt,
            source: scene.source.as_str().into(),
        };
        if known != Some(&row) {
            scene.state.rotated.put(scene.which, row);
        }
    }

    fn tick(&self, stage: &mut Stage<'_>) {
        // The log proves the absence of a rotation only up to its newest record.
        let until = stage.watermark;
        let policy = &stage.policy.rotation;
        let accepted = Duration::from_secs(u64::from(policy.max_age_days + policy.grace_days) * 86_400);
        let mut drafts = Vec::new();
        for (_, row) in stage.state.rotated.sorted() {
            let last = Timestamp::from_micros(row.at);
            if row.exempt || until.since(last) <= accepted {
                continue;
            }
            let key = KeyRef {
                id: KeyId::from(&*row.key),
                form: KeyForm::Canonical,
                account: Some(AccountId::from(&*row.account)),
                region: Some(Region::from(&*row.region)),
                alias: None,
            };
            if stage.inventory.key_held(&key.id).is_some() {
                continue;
            }
            drafts.push(overdue(row, key, last, until, policy.max_age_days));
        }
        stage.drafts.append(&mut drafts);
    }
}

fn overdue(row: &Rotated, key: KeyRef, last: Timestamp, now: Timestamp, max_age_days: u32) -> Draft {
    let age = now.since(last).as_secs() / 86_400;
    let severity = if age >= u64::from(max_age_days) * 2 {
        META.severity.raised()
    } else {
        META.severity
    };
    let provider = Provider::parse(&row.provider).unwrap_or(Provider::Saas);
    let place = (
        provider,
        AccountId::from(&*row.account),
        Region::from(&*row.region),
    );
    let what = if row.created {
        "created, never rotated since"
    } else {
        "last rotated"
    };
    let mut draft = Draft::of_state(&META, &SourceId::from(&*row.source), place, now)
        .severe(severity)
        .about(&[key.id.as_str()])
        .saying(&format!(
            "Key {} was {what} {age} days ago; accepted are {max_age_days}.",
            key.id
        ))
        .fact(what, last.to_string())
        .advise(advice::enable_rotation(provider, Some(&key)));
    // A state is told once, and again only when it gets worse.
    draft.fold = Fold::WhileOpen;
    draft.finding.key = Some(key);
    draft
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{World, ev, policy};

    fn after(days: i64, events: &[crate::testing::Ev]) -> Vec<String> {
        let mut world = World::new(policy());
        world.events(events);
        world.clear_log();
        // Some other event moves the log's newest record forward.
        world.events(&[ev(Action::KeyRead).no_key().day(days)]);
        world.tick(days);
        world.tick(days);
        world.log()
    }

    #[test]
    fn a_deadline_passes_and_gets_worse() {
        let create = || ev(Action::KeyCreate);
        assert_eq!(after(372, &[create()]), Vec::<String>::new());
        assert_eq!(after(373, &[create()]), ["medium rotation.overdue"]);
        assert_eq!(after(731, &[create()]), ["high rotation.overdue"]);
        assert_eq!(
            after(373, &[create(), ev(Action::KeyRotate).day(10)]),
            Vec::<String>::new()
        );
        assert_eq!(
            after(373, &[create(), ev(Action::KeyScheduleDestroy).day(10)]),
            Vec::<String>::new()
        );
        let imported = create().facts(Facts::Creation {
            origin: Some(KeyOrigin::Imported),
            replica_region: None,
        });
        assert_eq!(after(373, &[imported]), Vec::<String>::new());
    }

    #[test]
    fn a_rotation_closes_it() {
        let mut world = World::new(policy());
        world.events(&[ev(Action::KeyCreate), ev(Action::KeyRead).no_key().day(400)]);
        world.tick(400);
        world.events(&[ev(Action::KeyRotate).day(401)]);
        world.tick(401);
        assert_eq!(world.log(), ["medium rotation.overdue", "cleared reverted"]);
    }
}
