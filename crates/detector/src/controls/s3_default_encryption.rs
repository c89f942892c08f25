//! # A bucket is not encrypted as its data needs
//!
//! Requires: default encryption of the level that the data needs: a customer-managed key where the tags say production
//! and confidential, any encryption otherwise. "Encryption is on" cannot fail since January 2023, so levels are
//! compared. Objects that were written earlier keep the key that they were written under.
//!
//! Buckets that receive access logs need SSE-S3 only: not every service can deliver to a bucket with SSE-KMS.
//!
//! UNKNOWN without: `s3:GetEncryptionConfiguration`; without `s3:GetBucketTagging` where the level depends on tags;
//! and where the key that the bucket names could not be described. A bucket without tags needs any encryption here;
//! `x.cmk.prod_confidential` counts it as undecidable.
//!
//! What to do: set default encryption with the right key, then copy the objects that must change.

use keyvigil_model::finding::{Advice, Effect};
use keyvigil_model::key::KeyTier;
use keyvigil_model::severity::Severity;
use keyvigil_model::snapshot::{AwsBucket, Config, Resource};
use keyvigil_model::verdict::UnknownReason;

use super::remedy;
use crate::check::CheckMeta;
use crate::control::{Case, Control, ControlMeta, Opinion};
use crate::inventory::data_class::{DataClass, data_class};

/// The control.
pub(super) struct DefaultEncryption;

static META: ControlMeta = ControlMeta {
    check: CheckMeta {
        id: "aws.s3.default_encryption",
        title: "A bucket is not encrypted as its data needs",
        severity: Severity::High,
        references: &["SOC2 CC6.1", "FSBP S3.17"],
        source: include_str!("s3_default_encryption.rs"),
    },
    requirement: "default encryption has at least the level that the data needs.",
    permissions: &[
        "s3:GetEncryptionConfiguration",
        "s3:GetBucketTagging",
        "kms:DescribeKey",
    ],
};

/// The bucket of a resource.
pub(super) fn bucket_in(resource: Option<&Resource>) -> Option<&AwsBucket> {
    match resource.map(|resource| &resource.config) {
        Some(Config::AwsBucket(bucket)) => Some(bucket),
        _ => None,
    }
}

impl Control for DefaultEncryption {
    fn meta(&self) -> &'static ControlMeta {
        &META
    }

    fn concerns(&self, resource: Option<&Resource>) -> bool {
        bucket_in(resource).is_some()
    }

    fn judge(&self, case: &Case<'_>) -> Opinion {
        let (Some(resource), Some(bucket)) = (case.resource(), bucket_in(case.resource())) else {
            return Opinion::unknown(UnknownReason::NotYetRead, "the bucket was not read yet");
        };
        if let Err(reason) = bucket.encryption.get() {
            return Opinion::unknown(reason, "the default encryption could not be read");
        }
        let required = match required(case, resource, bucket) {
            Required::Level(level) => level,
            Required::Unknown(reason) if is_at_most(case, resource, KeyTier::ProviderManaged) => {
                return Opinion::unknown(reason, "the tags that say the required level could not be read");
            }
            // Whatever the tags say, a customer-managed key is enough.
            Required::Unknown(_) => KeyTier::CustomerManaged,
        };
        match case.inventory.tier_of(resource) {
            Some(Ok(tier)) if tier >= required => Opinion::pass(format!(
                "default encryption is {}; required is {}",
                tier.as_str(),
                required.as_str()
            )),
            Some(Ok(tier)) => Opinion::fail(format!(
                "default encryption is {}; required is {}",
                tier.as_str(),
                required.as_str()
            )),
            // A key is named: it is encrypted, and that is enough where no level is required.
            Some(Err(_)) if required <= KeyTier::ProviderOwned => {
                Opinion::pass("default encryption names a key; any encryption is enough here")
            }
            Some(Err(reason)) => {
                Opinion::unknown(reason, "the key that the bucket names could not be described")
            }
            None => Opinion::unknown(UnknownReason::NotYetRead, "the bucket was not read yet"),
        }
    }

    fn advice(&self, case: &Case<'_>) -> Vec<Advice> {
        vec![
            remedy::run(
                case,
                "See the default encryption.",
                Effect::ReadOnly,
                "aws s3api get-bucket-encryption --bucket {name} --expected-bucket-owner {account}",
            ),
            remedy::say("Set default encryption with a customer-managed key of the bucket's region."),
            remedy::say(
                "Objects written earlier keep the key that they were written under: copy those that must change.",
            ),
        ]
    }
}

enum Required {
    Level(KeyTier),
    Unknown(UnknownReason),
}

fn required(case: &Case<'_>, resource: &Resource, bucket: &AwsBucket) -> Required {
    if bucket.is_log_target {
        return Required::Level(KeyTier::ProviderOwned);
    }
    match data_class(&resource.tags, &case.policy.tags) {
        Ok(DataClass::ProductionConfidential) => Required::Level(KeyTier::CustomerManaged),
        Ok(DataClass::Other | DataClass::NotTagged(_)) => Required::Level(KeyTier::ProviderOwned),
        Err(reason) => Required::Unknown(reason),
    }
}

/// Whether the level is known to be at most that one; also if the bucket is not encrypted at all.
fn is_at_most(case: &Case<'_>, resource: &Resource, level: KeyTier) -> bool {
    match case.inventory.tier_of(resource) {
        Some(Ok(KeyTier::None)) => false,
        Some(Ok(tier)) => tier <= level,
        Some(Err(_)) | None => false,
    }
}
