//! Gauges of what there is: keys by state, accepted risks by state. Counted anew at every tick.

use keyvigil_detector::Policy;
use keyvigil_detector::inventory::Inventory;
use keyvigil_model::provider::Provider;
use keyvigil_model::snapshot::{AwsKeyState, Config, Family};
use keyvigil_model::time::Timestamp;

use crate::metrics::{KEY_STATES, Metrics};

/// Sets the gauges.
pub(super) fn export(inventory: &Inventory, policy: &Policy, now: Timestamp, metrics: &Metrics) {
    let mut counts = [[0; 2]; KEY_STATES.len()];
    for held in inventory.of_family(Family::Keys) {
        let Config::AwsKmsKey(key) = &held.resource.config else {
            continue;
        };
        let (state, manager) = match key.metadata.get() {
            Ok(metadata) => (
                state_index(metadata.state),
                usize::from(!metadata.managed_by_customer),
            ),
            Err(_not_seen) => (KEY_STATES.len() - 1, 0),
        };
        counts[state][manager] += 1;
    }
    for (state, by_manager) in KEY_STATES.into_iter().zip(counts) {
        for (manager, count) in ["customer", "provider"].into_iter().zip(by_manager) {
            metrics
                .keys
                .with_label_values(&[Provider::Aws.as_str(), state, manager])
                .set(count);
        }
    }
    let expired = policy
        .exceptions
        .iter()
        .filter(|exception| !exception.is_active(now))
        .count();
    let active = policy.exceptions.len() - expired;
    metrics
        .exceptions
        .with_label_values(&["active"])
        .set(i64::try_from(active).unwrap_or(i64::MAX));
    metrics
        .exceptions
        .with_label_values(&["expired"])
        .set(i64::try_from(expired).unwrap_or(i64::MAX));
}

fn state_index(state: AwsKeyState) -> usize {
    let word = match state {
        AwsKeyState::Enabled => "enabled",
        AwsKeyState::Disabled => "disabled",
        AwsKeyState::PendingDeletion | AwsKeyState::PendingReplicaDeletion => "pending_deletion",
        AwsKeyState::Creating
        | AwsKeyState::PendingImport
        | AwsKeyState::Unavailable
        | AwsKeyState::Updating => "unusable",
        AwsKeyState::Unrecognised => "unknown",
    };
    KEY_STATES
        .iter()
        .position(|known| *known == word)
        .unwrap_or(KEY_STATES.len() - 1)
}
