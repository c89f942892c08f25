//! What is true now: configuration read by a poller.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::facts::{AuditScope, Grant};
use crate::id::{AccountId, KeyId, PrincipalId, Region, SourceId};
use crate::key::{KeyOrigin, KeyTier};
use crate::policy_text::PolicyText;
use crate::provider::Provider;
use crate::resource::ResourceRef;
use crate::time::Timestamp;
use crate::untrusted::Untrusted;
use crate::verdict::{Read, UnknownReason};

/// The configuration of some resources at one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct Snapshot {
    /// The source that read it.
    pub source: SourceId,
    /// The provider.
    pub provider: Provider,
    /// The account.
    pub account: AccountId,
    /// The region; `global` for services without one.
    pub region: Region,
    /// When it was read.
    pub taken_at: Timestamp,
    /// What was looked at: without it, absence proves nothing.
    pub scope: SnapshotScope,
    /// What was read.
    pub resources: Vec<Resource>,
    /// Calls that failed, for the record and the blind-spot alerts.
    pub blind: Vec<BlindSpot>,
}

/// What a snapshot covers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SnapshotScope {
    /// Every resource of these families in the account and region was listed to its end: one that is missing is gone.
    Complete(Vec<Family>),
    /// A listing was cut short: nothing follows from absence.
    Partial(Vec<Family>),
    /// One resource, read because an event said that it changed.
    One(ResourceRef),
    /// One resource that no longer exists.
    Gone(ResourceRef),
}

/// A family of resources that one poller lists together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// Keys of the key service.
    Keys,
    /// Object-storage buckets.
    Buckets,
    /// Block storage and its defaults.
    Disks,
    /// Relational databases.
    Databases,
    /// Audit-log configuration.
    AuditLogs,
    /// Identities and their credentials.
    Identities,
}

impl Family {
    /// The word used in metrics and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Buckets => "buckets",
            Self::Disks => "disks",
            Self::Databases => "databases",
            Self::AuditLogs => "audit_logs",
            Self::Identities => "identities",
        }
    }
}

/// A call that a poller could not make.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlindSpot {
    /// The call, in the provider's permission words (`kms:GetKeyPolicy`).
    pub call: Arc<str>,
    /// The resource, where the call concerns one.
    pub resource: Option<ResourceRef>,
    /// Why.
    pub reason: UnknownReason,
}

/// One resource as it is now.
#[derive(Clone, PartialEq, Debug)]
pub struct Resource {
    /// What and where it is.
    pub reference: ResourceRef,
    /// Its name for people.
    pub name: Untrusted,
    /// Its tags or labels.
    pub tags: Read<BTreeMap<String, Untrusted>>,
    /// Its configuration.
    pub config: Config,
}

/// The configuration of a resource. Variants carry the provider where the meaning does.
#[derive(Clone, PartialEq, Debug)]
pub enum Config {
    /// An AWS KMS key.
    AwsKmsKey(Box<AwsKmsKey>),
    /// An AWS S3 bucket.
    AwsBucket(Box<AwsBucket>),
    /// The EBS default of one region.
    AwsEbsDefault(AwsEbsDefault),
    /// A volume, database, cluster or snapshot: encrypted or not, and with which key.
    Storage(Storage),
    /// An AWS CloudTrail trail.
    AwsTrail(Box<AwsTrail>),
    /// The credentials of an AWS account's root.
    AwsRoot(AwsRoot),
    /// An AWS IAM user with its credentials.
    AwsUser(AwsUser),
}

/// An AWS KMS key: `DescribeKey`, `GetKeyRotationStatus`, `ListKeyRotations`, `GetKeyPolicy`, `ListGrants`,
/// `ListAliases`.
#[derive(Clone, PartialEq, Debug)]
pub struct AwsKmsKey {
    /// The key's ARN.
    pub id: KeyId,
    /// Aliases (`alias/x`) that point at it.
    pub aliases: Read<Vec<Untrusted>>,
    /// Everything from `DescribeKey`; unknown if that call failed.
    pub metadata: Read<AwsKeyMetadata>,
    /// Rotation; `NotApplicable` keys are not asked (AWS-managed, asymmetric, imported).
    pub rotation: Read<AwsKeyRotation>,
    /// Completed rotations, newest first, at most the last ten.
    pub rotations: Read<Vec<Timestamp>>,
    /// The key policy.
    pub policy: Read<PolicyText>,
    /// The grants on the key.
    pub grants: Read<Vec<Grant>>,
}

/// The part of `DescribeKey` that controls need.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AwsKeyMetadata {
    /// Creation.
    pub created: Timestamp,
    /// Whether the customer or AWS manages the key.
    pub managed_by_customer: bool,
    /// `KeyState` as AWS writes it.
    pub state: AwsKeyState,
    /// `KeySpec` as AWS writes it (`SYMMETRIC_DEFAULT`).
    pub spec: Arc<str>,
    /// `KeyUsage` as AWS writes it (`ENCRYPT_DECRYPT`).
    pub usage: Arc<str>,
    /// Where the material comes from; `None` for a value that this version does not know.
    pub origin: Option<KeyOrigin>,
    /// When a scheduled deletion becomes final.
    pub deletion_date: Option<Timestamp>,
    /// The waiting period of a multi-Region primary that waits for its replicas, in days.
    pub pending_window_days: Option<u32>,
    /// When imported material expires.
    pub valid_to: Option<Timestamp>,
    /// `None` for a single-Region key; otherwise the ARN of the primary.
    pub multi_region_primary: Option<KeyId>,
    /// The regions of the primary and all replicas of a multi-Region key.
    pub replica_regions: Vec<Region>,
}

/// `KeyState` of `DescribeKey`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AwsKeyState {
    /// Being created.
    Creating,
    /// Usable.
    Enabled,
    /// Disabled.
    Disabled,
    /// Waits to be destroyed.
    PendingDeletion,
    /// A primary that waits for its replicas to be destroyed.
    PendingReplicaDeletion,
    /// Waits for material.
    PendingImport,
    /// Its key store is disconnected or unreachable.
    Unavailable,
    /// Being updated (primary region change).
    Updating,
    /// A state that this version does not know.
    Unrecognised,
}

/// `GetKeyRotationStatus`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AwsKeyRotation {
    /// Automatic rotation is on.
    pub enabled: bool,
    /// Days between rotations. `None`: the service did not say.
    pub period_days: Option<u32>,
    /// The next rotation.
    pub next: Option<Timestamp>,
}

/// An AWS S3 bucket.
#[derive(Clone, PartialEq, Debug)]
pub struct AwsBucket {
    /// `GetBucketEncryption`. AWS applies SSE-S3 to every bucket since January 2023; a bucket whose answer is
    /// `ServerSideEncryptionConfigurationNotFoundError` has [`KeyTier::None`].
    pub encryption: Read<BucketEncryption>,
    /// `GetBucketPolicy`; `None` if the bucket has no policy.
    pub policy: Read<Option<PolicyText>>,
    /// `GetPublicAccessBlock`: all four switches are on. `false` also where none is configured.
    pub public_access_blocked: Read<bool>,
    /// Other buckets or services deliver access logs here (`GetBucketLogging` of others names it).
    pub is_log_target: bool,
}

/// The default encryption of a bucket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BucketEncryption {
    /// The level.
    pub tier: KeyTier,
    /// The key named by the configuration, as it is written there.
    pub key: Option<KeyId>,
    /// SSE-C uploads are blocked.
    pub customer_key_blocked: bool,
}

/// The EBS default of one region.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AwsEbsDefault {
    /// `GetEbsEncryptionByDefault`.
    pub enabled: Read<bool>,
    /// `GetEbsDefaultKmsKeyId`.
    pub key: Read<KeyId>,
}

/// Storage that is encrypted or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Storage {
    /// Encrypted.
    pub encrypted: Read<bool>,
    /// With which key, where one is named.
    pub key: Option<KeyId>,
    /// The product (`postgres`, `gp3`), for messages.
    pub product: Arc<str>,
}

/// An AWS CloudTrail trail: `DescribeTrails`, `GetTrailStatus`, `GetEventSelectors`.
#[derive(Clone, PartialEq, Debug)]
pub struct AwsTrail {
    /// The region in which the trail was created.
    pub home_region: Region,
    /// Covers every region.
    pub multi_region: bool,
    /// Covers every account of the organisation.
    pub organisation: bool,
    /// Includes global services.
    pub global_events: bool,
    /// Writes signed digest files.
    pub validation: bool,
    /// The bucket that it delivers to.
    pub bucket: Arc<str>,
    /// The key that encrypts its files.
    pub key: Option<KeyId>,
    /// `GetTrailStatus`.
    pub status: Read<AwsTrailStatus>,
    /// `GetEventSelectors`, reduced to what is not recorded.
    pub scope: Read<AuditScope>,
}

/// `GetTrailStatus`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AwsTrailStatus {
    /// Recording now.
    pub logging: bool,
    /// The last delivery to the bucket.
    pub last_delivery: Option<Timestamp>,
    /// The error of the last delivery.
    pub delivery_error: Option<Untrusted>,
}

/// The root of an AWS account: `GetAccountSummary` and the credential report.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AwsRoot {
    /// Root has a second factor.
    pub mfa: Read<bool>,
    /// Root has access keys.
    pub access_keys: Read<u32>,
    /// Root has a password. Members of an organisation with central root management may have none.
    pub password: Read<bool>,
}

/// An AWS IAM user, from the credential report.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AwsUser {
    /// The user's ARN.
    pub id: PrincipalId,
    /// May sign in to the console.
    pub console: bool,
    /// Has a second factor.
    pub mfa: bool,
    /// Access keys, active ones only.
    pub access_keys: Vec<AwsAccessKey>,
    /// When AWS made the report: it may be four hours old.
    pub report_time: Timestamp,
}

/// An active access key of an IAM user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AwsAccessKey {
    /// First or second.
    pub slot: u8,
    /// Created or last rotated.
    pub rotated: Option<Timestamp>,
    /// Last used; `None`: never.
    pub last_used: Option<Timestamp>,
}
