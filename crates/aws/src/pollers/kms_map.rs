//! AWS KMS answers as model values: pure, one function an answer.

use std::collections::BTreeMap;

use aws_sdk_kms::operation::get_key_rotation_status::GetKeyRotationStatusOutput;
use aws_sdk_kms::types::{
    AliasListEntry, GrantListEntry, KeyManagerType, KeyMetadata, KeyState, MultiRegionConfiguration,
    OriginType, RotationsListEntry,
};
use keyvigil_model::facts::Grant;
use keyvigil_model::id::{AccountId, KeyId, Region};
use keyvigil_model::key::KeyOrigin;
use keyvigil_model::snapshot::{AwsKeyMetadata, AwsKeyRotation, AwsKeyState};
use keyvigil_model::time::Timestamp;
use keyvigil_model::untrusted::Untrusted;
use keyvigil_model::verdict::UnknownReason;

use crate::pollers::place::{parse_arn, timestamp};

/// Rotations kept, newest first: enough for the longest audit period at the shortest rotation period in practice.
const ROTATIONS_KEPT: usize = 10;

/// Whether a key's rotation is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RotationQuestion {
    /// The key can rotate by itself: ask.
    Ask,
    /// A replica: rotation is a property of the primary, which the poller of the primary's region reads.
    AskPrimary,
    /// The key cannot rotate by itself, or AWS manages it, or its state does not allow the call.
    DoNotAsk,
}

/// `DescribeKey`. An answer without a creation date or a key manager is unreadable; a manager that this version does
/// not know is an unsupported value, because rotation must not be asked for AWS's own keys.
pub(crate) fn metadata(answer: &KeyMetadata) -> Result<AwsKeyMetadata, UnknownReason> {
    let unreadable = UnknownReason::Unreadable;
    let managed_by_customer = match answer.key_manager.as_ref().ok_or(unreadable)? {
        KeyManagerType::Customer => true,
        KeyManagerType::Aws => false,
        _ => return Err(UnknownReason::UnsupportedValue),
    };
    let created = answer
        .creation_date
        .as_ref()
        .and_then(timestamp)
        .ok_or(unreadable)?;
    let spec = answer.key_spec.as_ref().ok_or(unreadable)?;
    // "This value is present only when the KeyUsage is ENCRYPT_DECRYPT": it stands in for a usage that is left out.
    let usage = match (&answer.key_usage, answer.encryption_algorithms()) {
        (Some(usage), _) => usage.as_str(),
        (None, [_, ..]) => "ENCRYPT_DECRYPT",
        (None, []) => return Err(unreadable),
    };
    let regions = answer.multi_region_configuration.as_ref();
    Ok(AwsKeyMetadata {
        created,
        managed_by_customer,
        state: answer
            .key_state
            .as_ref()
            .map_or(AwsKeyState::Unrecognised, key_state),
        spec: spec.as_str().into(),
        usage: usage.into(),
        origin: answer.origin.as_ref().and_then(key_origin),
        deletion_date: answer.deletion_date.as_ref().and_then(timestamp),
        pending_window_days: answer
            .pending_deletion_window_in_days
            .and_then(|days| u32::try_from(days).ok()),
        valid_to: answer.valid_to.as_ref().and_then(timestamp),
        multi_region_primary: regions
            .and_then(|regions| regions.primary_key.as_ref())
            .and_then(|primary| primary.arn.as_deref())
            .map(KeyId::from),
        replica_regions: regions.map(all_regions).unwrap_or_default(),
    })
}

fn key_state(state: &KeyState) -> AwsKeyState {
    match state {
        KeyState::Creating => AwsKeyState::Creating,
        KeyState::Enabled => AwsKeyState::Enabled,
        KeyState::Disabled => AwsKeyState::Disabled,
        KeyState::PendingDeletion => AwsKeyState::PendingDeletion,
        KeyState::PendingReplicaDeletion => AwsKeyState::PendingReplicaDeletion,
        KeyState::PendingImport => AwsKeyState::PendingImport,
        KeyState::Unavailable => AwsKeyState::Unavailable,
        KeyState::Updating => AwsKeyState::Updating,
        _ => AwsKeyState::Unrecognised,
    }
}

fn key_origin(origin: &OriginType) -> Option<KeyOrigin> {
    match origin {
        OriginType::AwsKms => Some(KeyOrigin::Provider),
        OriginType::External => Some(KeyOrigin::Imported),
        OriginType::AwsCloudhsm => Some(KeyOrigin::DedicatedHsm),
        OriginType::ExternalKeyStore => Some(KeyOrigin::ExternalStore),
        _ => None,
    }
}

fn all_regions(regions: &MultiRegionConfiguration) -> Vec<Region> {
    let mut list = Vec::new();
    for key in regions.primary_key.iter().chain(regions.replica_keys()) {
        if let Some(region) = key.region.as_deref() {
            list.push(Region::from(region));
        }
    }
    list
}

/// Whether to call `GetKeyRotationStatus` and `ListKeyRotations`. Only for customer-managed, symmetric encryption keys
/// with material from KMS; asking for others is refused, and refused calls raise alarms at the customer. Keys on their
/// way to deletion do not rotate and are judged by another control.
pub(crate) fn rotation_question(key: &KeyId, metadata: &AwsKeyMetadata) -> RotationQuestion {
    let may_rotate = metadata.managed_by_customer
        && &*metadata.spec == "SYMMETRIC_DEFAULT"
        && &*metadata.usage == "ENCRYPT_DECRYPT"
        && metadata.origin == Some(KeyOrigin::Provider);
    let askable = match metadata.state {
        AwsKeyState::Enabled | AwsKeyState::Disabled | AwsKeyState::Updating | AwsKeyState::Unrecognised => {
            true
        }
        AwsKeyState::Creating
        | AwsKeyState::PendingDeletion
        | AwsKeyState::PendingReplicaDeletion
        | AwsKeyState::PendingImport
        | AwsKeyState::Unavailable => false,
    };
    match &metadata.multi_region_primary {
        _ if !may_rotate || !askable => RotationQuestion::DoNotAsk,
        Some(primary) if primary != key => RotationQuestion::AskPrimary,
        Some(_) | None => RotationQuestion::Ask,
    }
}

/// `GetKeyRotationStatus`.
pub(crate) fn rotation(answer: &GetKeyRotationStatusOutput) -> AwsKeyRotation {
    AwsKeyRotation {
        enabled: answer.key_rotation_enabled,
        period_days: answer
            .rotation_period_in_days
            .and_then(|days| u32::try_from(days).ok()),
        next: answer.next_rotation_date.as_ref().and_then(timestamp),
    }
}

/// `ListKeyRotations`, all pages: the newest first, at most ten. Material that never was current has no rotation date.
pub(crate) fn rotations(entries: &[RotationsListEntry]) -> Vec<Timestamp> {
    let mut dates = Vec::new();
    for entry in entries {
        if let Some(date) = entry.rotation_date.as_ref().and_then(timestamp) {
            dates.push(date);
        }
    }
    dates.sort_unstable_by(|a, b| b.cmp(a));
    dates.truncate(ROTATIONS_KEPT);
    dates
}

/// An entry of `ListGrants`. The grantee is an IAM principal, or a service in one of two fields.
pub(crate) fn grant(entry: &GrantListEntry) -> Grant {
    let service = entry.grantee_service_principal.as_deref();
    let grantee = service.or(entry.grantee_principal.as_deref()).unwrap_or_default();
    let mut operations = Vec::new();
    for operation in entry.operations() {
        operations.push(operation.as_str().into());
    }
    let constrained = entry.constraints.as_ref().is_some_and(|constraints| {
        let set = |pairs: &Option<std::collections::HashMap<String, String>>| {
            pairs.as_ref().is_some_and(|pairs| !pairs.is_empty())
        };
        set(&constraints.encryption_context_equals) || set(&constraints.encryption_context_subset)
    });
    Grant {
        grantee: Untrusted::from(grantee),
        grantee_account: account_of(grantee),
        grantee_is_service: service.is_some() || is_service(grantee),
        operations,
        constrained,
    }
}

/// The account of a principal: in its ARN, or the whole text if that is twelve digits.
fn account_of(principal: &str) -> Option<AccountId> {
    let account = parse_arn(principal).map_or(principal, |arn| arn.account);
    let is_account = account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit());
    is_account.then(|| AccountId::from(account))
}

/// `rds.amazonaws.com`, `ec2.amazonaws.com.cn`.
fn is_service(principal: &str) -> bool {
    principal.ends_with(".amazonaws.com") || principal.ends_with(".amazonaws.com.cn")
}

/// `ListAliases` of a region, by bare key id. An alias without a target is one that AWS has not used yet.
pub(crate) fn aliases(entries: &[AliasListEntry]) -> BTreeMap<String, Vec<Untrusted>> {
    let mut by_key: BTreeMap<String, Vec<Untrusted>> = BTreeMap::new();
    for entry in entries {
        if let (Some(key), Some(alias)) = (entry.target_key_id(), entry.alias_name()) {
            by_key
                .entry(key.to_owned())
                .or_default()
                .push(Untrusted::from(alias));
        }
    }
    for names in by_key.values_mut() {
        names.sort_unstable();
    }
    by_key
}

#[cfg(test)]
mod tests;
