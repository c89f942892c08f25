//! Which event undoes which deed.

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::event::Outcome;
use keyvigil_model::facts::Facts;
use keyvigil_model::finding::{ClearReason, FindingChange};
use keyvigil_model::id::Fingerprint;
use keyvigil_model::time::Timestamp;

use crate::check::CheckMeta;
use crate::engine::report::fingerprint;
use crate::iam::{self, PublicAccess};
use crate::rule::Scene;
use crate::rules::encryption_default_swapped::Swap;
use crate::rules::{
    audit_narrowed, audit_stopped, encryption_default_removed, encryption_default_swapped,
    key_destroy_scheduled, key_disabled, key_opened_to_everyone, key_shared_outside, rotation_disabled,
    rotation_overdue, secret_destroyed,
};
use crate::state::open::{Open, Standing};
use crate::step::Step;

/// Actions that may undo something.
pub(crate) const ACTIONS: ActionSet = ActionSet::of(&[
    Action::KeyCancelDestroy,
    Action::KeyEnable,
    Action::KeyImport,
    Action::KeyRotate,
    Action::KeyDestroy,
    Action::KeyRotationEnable,
    Action::KeyPolicySet,
    Action::DefaultEncryptionSet,
    Action::AuditStart,
    Action::AuditScopeChange,
    Action::AuditRedirect,
    Action::SecretRestore,
]);

/// Clears the findings that the event undoes. A repair whose deed is not known yet is remembered: their records may
/// arrive the other way round.
pub(crate) fn apply(scene: &mut Scene<'_>, step: &mut Step) {
    if scene.event.outcome != Outcome::Success || !ACTIONS.contains(scene.event.action) {
        return;
    }
    let at = scene.event.time.as_micros();
    for (meta, print) in undone(scene) {
        let known = scene.state.open.get(&print.0).cloned();
        let forgotten = scene.state.open.take_forgotten(&print.0, at);
        let by = scene.event.principal.id.clone();
        let row = Open {
            rule: meta.id.into(),
            account: scene.home().as_str().into(),
            state: Standing::Reverted {
                at,
                by: by.as_str().into(),
            },
            at,
            told: at,
            severity: 0,
            chosen: false,
            confirmed: false,
        };
        match known.map(|known| (known.state, known.at)) {
            // The deed is newer than the repair.
            Some((Standing::Open, done)) if done > at => {}
            Some((Standing::Reverted { at: before, .. }, _)) if before >= at => {}
            Some((Standing::Reverted { .. } | Standing::Suppressed, _)) => scene.state.open.put(print.0, row),
            None if !forgotten => scene.state.open.put(print.0, row),
            Some((Standing::Open, _)) | None => {
                scene.state.open.put(print.0, row);
                let reason = ClearReason::RevertedBy(by);
                let at = Timestamp::from_micros(at);
                step.findings.push(FindingChange::Cleared {
                    fingerprint: print,
                    at,
                    reason,
                });
            }
        }
    }
}

/// The rules whose findings about the subject of this event are over.
fn undone(scene: &Scene<'_>) -> Vec<(&'static CheckMeta, Fingerprint)> {
    let on_key = |meta: &'static CheckMeta| (meta, fingerprint(&scene.draft(meta)));
    let on_resource = |meta: &'static CheckMeta| (meta, fingerprint(&scene.resource_draft(meta)));
    match scene.event.action {
        Action::KeyCancelDestroy => vec![on_key(&key_destroy_scheduled::META)],
        Action::KeyEnable | Action::KeyImport => vec![on_key(&key_disabled::META)],
        Action::KeyRotate | Action::KeyDestroy => vec![on_key(&rotation_overdue::META)],
        Action::KeyRotationEnable => match rotation_disabled::too_long(&scene.event.facts, scene.policy) {
            Some(_) => Vec::new(),
            None => vec![on_key(&rotation_disabled::META)],
        },
        Action::KeyPolicySet => by_policy(scene).into_iter().map(on_key).collect(),
        Action::DefaultEncryptionSet => {
            let mut over = vec![on_resource(&encryption_default_removed::META)];
            if encryption_default_swapped::judge(scene) == Swap::None {
                over.push(on_resource(&encryption_default_swapped::META));
            }
            over
        }
        Action::AuditStart => vec![on_resource(&audit_stopped::META)],
        Action::AuditScopeChange | Action::AuditRedirect => match &scene.event.facts {
            Facts::AuditScope(scope) if audit_narrowed::severity(scope).is_none() => {
                vec![on_resource(&audit_narrowed::META)]
            }
            _ => Vec::new(),
        },
        Action::SecretRestore => vec![on_resource(&secret_destroyed::META)],
        _ => Vec::new(),
    }
}

/// A policy clears only what it was understood not to allow.
fn by_policy(scene: &Scene<'_>) -> Vec<&'static CheckMeta> {
    let Facts::Policy {
        policy: Some(policy), ..
    } = &scene.event.facts
    else {
        return Vec::new();
    };
    let mut over = Vec::new();
    match iam::public_access(policy) {
        PublicAccess::NotPublic | PublicAccess::WithinNetwork(_) => over.push(&key_opened_to_everyone::META),
        PublicAccess::Public(_) | PublicAccess::NotConcluded(_) => {}
    }
    let outside = key_shared_outside::outside(scene, policy);
    if outside.grants.is_empty() && outside.doubts.is_empty() {
        over.push(&key_shared_outside::META);
    }
    over
}
