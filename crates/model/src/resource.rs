//! Resources other than keys: buckets, databases, trails, secrets.

use crate::id::{AccountId, Region, ResourceId};
use crate::provider::Provider;

/// A resource as an event or a finding refers to it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ResourceRef {
    /// The provider's name, an ARN where there is one.
    pub id: ResourceId,
    /// What it is.
    pub kind: ResourceKind,
    /// The account that owns it, where known.
    pub account: Option<AccountId>,
    /// Its region, where known.
    pub region: Option<Region>,
}

/// What a resource is, across providers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ResourceKind {
    /// An encryption key.
    Key,
    /// A secret or parameter in a secret store.
    Secret,
    /// An object-storage bucket or account.
    Bucket,
    /// A regional default for block-storage encryption.
    DiskDefault,
    /// A block-storage volume.
    Disk,
    /// A block-storage snapshot.
    DiskSnapshot,
    /// A database instance.
    Database,
    /// A database cluster.
    DatabaseCluster,
    /// A database snapshot.
    DatabaseSnapshot,
    /// A configured audit log (trail, sink, diagnostic setting, audit device).
    AuditLog,
    /// An account, subscription or project as a whole.
    Account,
    /// A user of the provider's own directory.
    User,
    /// A role, policy or group of the provider's own directory.
    Role,
    /// Anything else.
    Other,
}

impl ResourceKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Key,
        Self::Secret,
        Self::Bucket,
        Self::DiskDefault,
        Self::Disk,
        Self::DiskSnapshot,
        Self::Database,
        Self::DatabaseCluster,
        Self::DatabaseSnapshot,
        Self::AuditLog,
        Self::Account,
        Self::User,
        Self::Role,
        Self::Other,
    ];

    /// The word used in NDJSON and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Secret => "secret",
            Self::Bucket => "bucket",
            Self::DiskDefault => "disk_default",
            Self::Disk => "disk",
            Self::DiskSnapshot => "disk_snapshot",
            Self::Database => "database",
            Self::DatabaseCluster => "database_cluster",
            Self::DatabaseSnapshot => "database_snapshot",
            Self::AuditLog => "audit_log",
            Self::Account => "account",
            Self::User => "user",
            Self::Role => "role",
            Self::Other => "other",
        }
    }

    /// The inverse of [`ResourceKind::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A request to look at one resource again now, because an event says that it changed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RepollRequest {
    /// The provider that must look.
    pub provider: Provider,
    /// The account that owns the resource.
    pub account: AccountId,
    /// Its region.
    pub region: Region,
    /// The resource.
    pub resource: ResourceRef,
}
