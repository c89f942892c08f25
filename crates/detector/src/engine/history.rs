//! What inventory and history know around an event: owner, what a key protects, whether this is normal.

use std::time::Duration;

use keyvigil_model::action::Action;

use crate::rule::{Draft, Scene};
use crate::state::hash;

const QUARTER: Duration = Duration::from_secs(90 * 86_400);

/// Fills the context of a draft, where its rule left it open.
pub(crate) fn fill(scene: &Scene<'_>, draft: &mut Draft) {
    let context = &mut draft.finding.context;
    if let Some(key) = &draft.finding.key {
        context.protects = scene.inventory.protects(&key.id);
        context.owner = scene.inventory.key_owner(&key.id, scene.policy);
    }
    if context.owner.is_none()
        && let Some(resource) = &draft.finding.resource
    {
        context.owner = scene.inventory.owner(resource, scene.policy);
    }
    if let Some(origin) = &scene.origin
        && scene.state.sources.partners_of_left(&scene.who) > 0
    {
        context.source_seen_before = Some(scene.state.sources.known(&scene.who, origin).is_some());
    }
    if context.normal.is_none() && is_administration(scene.event.action) {
        context.normal = Some(normal(scene));
    }
}

fn normal(scene: &Scene<'_>) -> String {
    let action = hash(scene.event.action.as_str());
    let own = scene
        .state
        .habits
        .known(&scene.who, &action)
        .map_or(0, |seen| seen.times);
    let peers = scene.state.habits.partners_of_right(&action);
    let word = scene.event.action.as_str();
    let others = match peers {
        0 => String::from("nobody did it"),
        1 => String::from("1 principal did it"),
        peers => format!("{peers} principals did it"),
    };
    match own {
        0 => format!("No: first {word} by this principal; {others} since records began."),
        own => {
            format!("This principal did {word} in {own} separate hours before; {others} since records began.")
        }
    }
}

/// Remembers the event for the context of later ones.
pub(crate) fn note(scene: &mut Scene<'_>) {
    if scene.is_service() {
        return;
    }
    if let Some(origin) = &scene.origin {
        scene
            .state
            .sources
            .see(&scene.who, origin, scene.event.time, QUARTER);
    }
    if is_administration(scene.event.action) {
        let action = hash(scene.event.action.as_str());
        scene
            .state
            .habits
            .see(&scene.who, &action, scene.event.time, QUARTER);
    }
}

/// Rare and deliberate, as opposed to the daily use of keys and secrets.
fn is_administration(action: Action) -> bool {
    !action.is_key_use()
        && !matches!(
            action,
            Action::KeyRead
                | Action::KeyOther
                | Action::SecretRead
                | Action::SecretList
                | Action::SecretOther
                | Action::ObjectWriteCustomerKey
                | Action::Other
        )
}
