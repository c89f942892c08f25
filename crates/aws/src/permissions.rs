//! Every permission that keyvigil uses on AWS, and what goes blind without it. The policy document, docs/permissions.md
//! and `doctor` all come from this one list.

pub mod document;
pub mod preflight;

pub use document::{DocumentScope, base_policy_document, policy_document, policy_document_for};
pub use preflight::AwsPreflight;

/// One permission.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Permission {
    /// The action, as IAM writes it.
    pub action: &'static str,
    /// What needs it.
    pub used_by: UsedBy,
    /// The controls and rules that go blind without it; `*` stands for everything that reads the log.
    pub needed_by: &'static [&'static str],
    /// What it is granted on.
    pub resource: GrantedOn,
}

/// The part of keyvigil that needs a permission.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum UsedBy {
    /// The inventory of keys.
    KeyPoller,
    /// The inventory of buckets.
    BucketPoller,
    /// The inventory of volumes and disk snapshots.
    DiskPoller,
    /// The inventory of databases.
    DatabasePoller,
    /// The configuration of trails.
    TrailPoller,
    /// Root and users.
    IdentityPoller,
    /// The event history.
    LookupEvents,
    /// Log files from the trail's bucket.
    LogFiles,
    /// Checking the configuration itself.
    Doctor,
}

impl UsedBy {
    /// For people: what the permission is for.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::KeyPoller => "inventory of KMS keys",
            Self::BucketPoller => "inventory of S3 buckets",
            Self::DiskPoller => "inventory of EBS volumes and snapshots",
            Self::DatabasePoller => "inventory of RDS databases",
            Self::TrailPoller => "configuration of CloudTrail",
            Self::IdentityPoller => "root and IAM users",
            Self::LookupEvents => "event history of CloudTrail",
            Self::LogFiles => "log files of CloudTrail",
            Self::Doctor => "who the credentials belong to",
        }
    }
}

/// What a permission is granted on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum GrantedOn {
    /// `*`: the action lists, or the resources are not known in advance.
    Everything,
    /// The bucket of the trail.
    LogBucket,
    /// The objects in the bucket of the trail.
    LogObjects,
    /// The queue of the trail.
    LogQueue,
    /// The key that encrypts the log files.
    LogKey,
}

/// Everything that reads a log goes blind.
const EVERY_RULE: &[&str] = &["*"];
const KEY_CONTROLS: &[&str] = &[
    "aws.s3.default_encryption",
    "aws.kms.rotation_enabled",
    "aws.kms.rotation_period",
    "aws.kms.rotation_occurred",
    "aws.kms.pending_deletion",
    "aws.kms.policy_not_public",
    "aws.kms.cross_account",
    "x.region_approved",
    "x.cmk.prod_confidential",
    "x.cmk.key_usable",
    "rotation.overdue",
];
const KEY_ROTATION: &[&str] = &[
    "aws.kms.rotation_enabled",
    "aws.kms.rotation_period",
    "aws.kms.rotation_occurred",
];
const BUCKETS: &[&str] = &[
    "aws.s3.default_encryption",
    "aws.s3.tls_enforced",
    "x.region_approved",
    "x.cmk.prod_confidential",
];
const TAGS: &[&str] = &["x.cmk.prod_confidential", "aws.s3.default_encryption"];
const STORAGE: &[&str] = &["x.cmk.prod_confidential", "x.cmk.key_usable", "x.region_approved"];
const DATABASES: &[&str] = &[
    "aws.rds.storage_encrypted",
    "x.cmk.prod_confidential",
    "x.cmk.key_usable",
    "x.region_approved",
];
const TRAILS: &[&str] = &["aws.cloudtrail.enabled", "aws.cloudtrail.kms_events_included"];

const fn on_everything(
    action: &'static str,
    used_by: UsedBy,
    needed_by: &'static [&'static str],
) -> Permission {
    Permission {
        action,
        used_by,
        needed_by,
        resource: GrantedOn::Everything,
    }
}

const fn on_log(action: &'static str, resource: GrantedOn) -> Permission {
    Permission {
        action,
        used_by: UsedBy::LogFiles,
        needed_by: EVERY_RULE,
        resource,
    }
}

/// Every permission that keyvigil uses, all of them reading, except for its own queue.
pub const PERMISSIONS: &[Permission] = &[
    on_everything("kms:ListKeys", UsedBy::KeyPoller, KEY_CONTROLS),
    on_everything("kms:DescribeKey", UsedBy::KeyPoller, KEY_CONTROLS),
    on_everything("kms:ListAliases", UsedBy::KeyPoller, STORAGE),
    on_everything("kms:ListResourceTags", UsedBy::KeyPoller, TAGS),
    on_everything("kms:GetKeyRotationStatus", UsedBy::KeyPoller, KEY_ROTATION),
    on_everything(
        "kms:ListKeyRotations",
        UsedBy::KeyPoller,
        &["aws.kms.rotation_occurred", "rotation.overdue"],
    ),
    on_everything(
        "kms:GetKeyPolicy",
        UsedBy::KeyPoller,
        &["aws.kms.policy_not_public", "aws.kms.cross_account"],
    ),
    on_everything("kms:ListGrants", UsedBy::KeyPoller, &["aws.kms.cross_account"]),
    on_everything("s3:ListAllMyBuckets", UsedBy::BucketPoller, BUCKETS),
    on_everything("s3:GetBucketLocation", UsedBy::BucketPoller, BUCKETS),
    on_everything(
        "s3:GetEncryptionConfiguration",
        UsedBy::BucketPoller,
        &[
            "aws.s3.default_encryption",
            "x.cmk.prod_confidential",
            "x.cmk.key_usable",
        ],
    ),
    on_everything(
        "s3:GetBucketPolicy",
        UsedBy::BucketPoller,
        &["aws.s3.tls_enforced"],
    ),
    on_everything(
        "s3:GetBucketPublicAccessBlock",
        UsedBy::BucketPoller,
        &["aws.s3.tls_enforced"],
    ),
    on_everything("s3:GetBucketTagging", UsedBy::BucketPoller, TAGS),
    on_everything(
        "s3:GetBucketLogging",
        UsedBy::BucketPoller,
        &["aws.s3.default_encryption"],
    ),
    on_everything(
        "ec2:GetEbsEncryptionByDefault",
        UsedBy::DiskPoller,
        &["aws.ebs.default_encryption"],
    ),
    on_everything(
        "ec2:GetEbsDefaultKmsKeyId",
        UsedBy::DiskPoller,
        &["aws.ebs.default_encryption", "x.cmk.key_usable"],
    ),
    on_everything("ec2:DescribeVolumes", UsedBy::DiskPoller, STORAGE),
    on_everything("ec2:DescribeSnapshots", UsedBy::DiskPoller, STORAGE),
    on_everything("rds:DescribeDBInstances", UsedBy::DatabasePoller, DATABASES),
    on_everything("rds:DescribeDBClusters", UsedBy::DatabasePoller, DATABASES),
    on_everything("rds:DescribeDBSnapshots", UsedBy::DatabasePoller, DATABASES),
    on_everything(
        "rds:DescribeDBClusterSnapshots",
        UsedBy::DatabasePoller,
        DATABASES,
    ),
    on_everything("cloudtrail:DescribeTrails", UsedBy::TrailPoller, TRAILS),
    on_everything("cloudtrail:GetTrailStatus", UsedBy::TrailPoller, TRAILS),
    on_everything("cloudtrail:GetEventSelectors", UsedBy::TrailPoller, TRAILS),
    on_everything(
        "iam:GetAccountSummary",
        UsedBy::IdentityPoller,
        &["aws.iam.root_mfa", "aws.iam.access_keys"],
    ),
    on_everything(
        "iam:GenerateCredentialReport",
        UsedBy::IdentityPoller,
        &["aws.iam.root_mfa", "aws.iam.access_keys"],
    ),
    on_everything(
        "iam:GetCredentialReport",
        UsedBy::IdentityPoller,
        &["aws.iam.root_mfa", "aws.iam.access_keys"],
    ),
    on_everything("cloudtrail:LookupEvents", UsedBy::LookupEvents, EVERY_RULE),
    on_everything("sts:GetCallerIdentity", UsedBy::Doctor, &[]),
    on_log("sqs:ReceiveMessage", GrantedOn::LogQueue),
    on_log("sqs:ChangeMessageVisibility", GrantedOn::LogQueue),
    on_log("sqs:DeleteMessage", GrantedOn::LogQueue),
    on_log("s3:ListBucket", GrantedOn::LogBucket),
    on_log("s3:GetObject", GrantedOn::LogObjects),
    on_log("kms:Decrypt", GrantedOn::LogKey),
];

/// The permission of an action.
pub fn permission(action: &str) -> Option<&'static Permission> {
    PERMISSIONS.iter().find(|permission| permission.action == action)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_action_is_listed_once_and_reads() {
        let mut seen = BTreeSet::new();
        // What changes nothing but the state of keyvigil's own queue and of a report about the account.
        let own = [
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
            "iam:GenerateCredentialReport",
        ];
        for permission in PERMISSIONS {
            assert!(
                seen.insert(permission.action),
                "{} is listed twice",
                permission.action
            );
            let (service, verb) = permission.action.split_once(':').unwrap();
            assert!(!service.is_empty());
            let reads = ["Get", "List", "Describe", "Lookup", "Receive", "Decrypt"];
            let read_only = reads.iter().any(|word| verb.starts_with(word));
            assert!(
                read_only || own.contains(&permission.action),
                "{}",
                permission.action
            );
        }
    }

    #[test]
    fn decrypting_and_objects_are_never_granted_on_everything() {
        for action in [
            "kms:Decrypt",
            "s3:GetObject",
            "sqs:DeleteMessage",
            "s3:ListBucket",
        ] {
            assert_ne!(
                permission(action).unwrap().resource,
                GrantedOn::Everything,
                "{action}"
            );
        }
    }
}
