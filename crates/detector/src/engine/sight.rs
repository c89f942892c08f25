//! What a reading of the configuration says about keyvigil's own permissions.

use keyvigil_model::health::{SightState, SourceHealth};
use keyvigil_model::id::SourceId;
use keyvigil_model::snapshot::{Snapshot, SnapshotScope};
use keyvigil_model::verdict::UnknownReason;

/// What a full reading says about keyvigil's own permissions. A permission that is refused makes verdicts UNKNOWN while
/// the source as a whole answers, so it is an observation of its own: `<source>/permissions`.
pub(super) fn of(snapshot: &Snapshot) -> Option<SourceHealth> {
    match &snapshot.scope {
        SnapshotScope::Complete(_) | SnapshotScope::Partial(_) => {}
        SnapshotScope::One(_) | SnapshotScope::Gone(_) => return None,
    }
    let mut refused: Vec<&str> = snapshot
        .blind
        .iter()
        .filter(|blind| blind.reason == UnknownReason::Denied)
        .map(|blind| blind.call.as_ref())
        .collect();
    refused.sort_unstable();
    refused.dedup();
    let state = if refused.is_empty() {
        SightState::Seeing
    } else {
        SightState::Blind {
            call: refused.join(", ").into(),
            reason: UnknownReason::Denied,
        }
    };
    Some(SourceHealth {
        source: SourceId::new(format!("{}/permissions", snapshot.source)),
        provider: snapshot.provider,
        account: Some(snapshot.account.clone()),
        region: Some(snapshot.region.clone()),
        state,
    })
}
