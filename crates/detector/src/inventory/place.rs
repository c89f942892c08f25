//! Where a resource belongs: the place of its listing, its family, and the key that it names.

use keyvigil_model::id::{AccountId, KeyId, Region, ResourceId};
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::{ResourceKind, ResourceRef};
use keyvigil_model::snapshot::{Config, Family, Resource, Snapshot};
use keyvigil_model::verdict::Read;

use super::InventoryChange;

/// Where a resource was listed. One that is visible from several accounts (an organisation's trail) has several.
pub(super) type Place = (Provider, AccountId, Region, ResourceKind, ResourceId);

/// The key that a configuration names, as it is written there.
pub(super) fn named_key(config: &Config) -> Option<&KeyId> {
    match config {
        Config::AwsKmsKey(_) | Config::AwsRoot(_) | Config::AwsUser(_) => None,
        Config::AwsBucket(bucket) => match &bucket.encryption {
            Read::Known(encryption) => encryption.key.as_ref(),
            Read::Unknown(_) => None,
        },
        Config::AwsEbsDefault(default) => match &default.key {
            Read::Known(key) => Some(key),
            Read::Unknown(_) => None,
        },
        Config::Storage(storage) => storage.key.as_ref(),
        Config::AwsTrail(trail) => trail.key.as_ref(),
    }
}

/// The resource with account and region filled in: those of the snapshot where it does not say.
pub(super) fn placed(resource: &Resource, snapshot: &Snapshot) -> Resource {
    let mut resource = resource.clone();
    let reference = &mut resource.reference;
    reference.account.get_or_insert_with(|| snapshot.account.clone());
    reference.region.get_or_insert_with(|| snapshot.region.clone());
    resource
}

pub(super) fn place_of(snapshot: &Snapshot, reference: &ResourceRef) -> Place {
    let (account, region) = (snapshot.account.clone(), snapshot.region.clone());
    (
        snapshot.provider,
        account,
        region,
        reference.kind,
        reference.id.clone(),
    )
}

pub(super) fn family_of(resource: &Resource) -> Family {
    match &resource.config {
        Config::AwsKmsKey(_) => Family::Keys,
        Config::AwsBucket(_) => Family::Buckets,
        Config::AwsEbsDefault(_) => Family::Disks,
        Config::Storage(_) => match resource.reference.kind {
            ResourceKind::Database | ResourceKind::DatabaseCluster | ResourceKind::DatabaseSnapshot => {
                Family::Databases
            }
            _ => Family::Disks,
        },
        Config::AwsTrail(_) => Family::AuditLogs,
        Config::AwsRoot(_) | Config::AwsUser(_) => Family::Identities,
    }
}

pub(super) fn family_of_kind(kind: ResourceKind) -> Vec<Family> {
    match kind {
        ResourceKind::AuditLog => vec![Family::AuditLogs],
        _ => Vec::new(),
    }
}

/// The account as a resource of its own.
pub fn account_reference(account: &AccountId) -> ResourceRef {
    ResourceRef {
        id: ResourceId::from(account.as_str()),
        kind: ResourceKind::Account,
        account: Some(account.clone()),
        region: Some(Region::from("global")),
    }
}

/// Audit logs are judged by account: also, and above all, where there is none.
pub(super) fn push_account(snapshot: &Snapshot, families: &[Family], change: &mut InventoryChange) {
    if families.contains(&Family::AuditLogs) {
        change.changed.push(account_reference(&snapshot.account));
    }
}
