//! What a key protects, in one sentence with counts.

use std::collections::BTreeMap;

use keyvigil_model::id::KeyId;
use keyvigil_model::resource::ResourceKind;

use super::Inventory;

/// "2 buckets, 1 database and 14 database snapshots". `None`: nothing that was read names the key.
pub(super) fn sentence(inventory: &Inventory, key: &KeyId) -> Option<String> {
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
