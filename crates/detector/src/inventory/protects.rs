//! What a key protects, in one sentence with counts; and whose it is.

use std::collections::BTreeMap;

use keyvigil_model::id::KeyId;
use keyvigil_model::resource::{ResourceKind, ResourceRef};
use keyvigil_model::untrusted::Untrusted;

use super::{Held, Inventory, data_class};
use crate::policy::Policy;

impl Inventory {
    /// The resources that name the key, under whichever name.
    pub fn users_of(&self, key: &KeyId) -> Vec<&Held> {
        let mut users = BTreeMap::new();
        for name in self.names.names_of(key) {
            for place in self.users.get(&name).into_iter().flatten() {
                let Some(held) = self.held.get(place) else {
                    continue;
                };
                // A short name may mean another key in the resource's own account and region.
                if self.key_of(&held.resource).is_some_and(|named| named.id == *key) {
                    users.insert((place.3, &place.4), held);
                }
            }
        }
        users.into_values().collect()
    }

    /// What the key protects, with counts. `None`: nothing that was read names it.
    pub fn protects(&self, key: &KeyId) -> Option<String> {
        sentence(self, key)
    }

    /// Owner, environment and classification of a resource from its tags, in one line.
    pub fn owner(&self, reference: &ResourceRef, policy: &Policy) -> Option<Untrusted> {
        data_class::owner_line(&self.find(reference)?.resource.tags, &policy.tags)
    }

    /// Owner, environment and classification of a key from its tags, in one line.
    pub fn key_owner(&self, key: &KeyId, policy: &Policy) -> Option<Untrusted> {
        data_class::owner_line(&self.key_held(key)?.resource.tags, &policy.tags)
    }
}

/// "2 buckets, 1 database and 14 database snapshots". `None`: nothing that was read names the key.
fn sentence(inventory: &Inventory, key: &KeyId) -> Option<String> {
    let mut counts: BTreeMap<ResourceKind, u64> = BTreeMap::new();
    for held in inventory.users_of(key) {
        *counts.entry(held.resource.reference.kind).or_default() += 1;
    }
    let parts: Vec<String> = counts
        .into_iter()
        .map(|(kind, count)| format!("{count} {}", noun(kind, count)))
        .collect();
    let (last, rest) = parts.split_last()?;
    if rest.is_empty() {
        return Some(last.clone());
    }
    Some(format!("{} and {last}", rest.join(", ")))
}

fn noun(kind: ResourceKind, count: u64) -> &'static str {
    let (one, many) = match kind {
        ResourceKind::Key => ("key", "keys"),
        ResourceKind::Secret => ("secret", "secrets"),
        ResourceKind::Bucket => ("bucket", "buckets"),
        ResourceKind::DiskDefault => (
            "region's default for new disks",
            "regions' defaults for new disks",
        ),
        ResourceKind::Disk => ("disk", "disks"),
        ResourceKind::DiskSnapshot => ("disk snapshot", "disk snapshots"),
        ResourceKind::Database => ("database", "databases"),
        ResourceKind::DatabaseCluster => ("database cluster", "database clusters"),
        ResourceKind::DatabaseSnapshot => ("database snapshot", "database snapshots"),
        ResourceKind::AuditLog => ("audit log", "audit logs"),
        ResourceKind::Account => ("account", "accounts"),
        ResourceKind::User => ("user", "users"),
        ResourceKind::Role => ("role", "roles"),
        ResourceKind::Other => ("other resource", "other resources"),
    };
    if count == 1 { one } else { many }
}
