//! # New disks of a region are not encrypted
//!
//! Requires: EBS encryption by default is on in every region that is polled, also in those without any disk.
//!
//! Existing disks keep what they have. Which key new disks get is observed, and judged by `x.cmk.key_usable`.
//!
//! UNKNOWN without: `ec2:GetEbsEncryptionByDefault`.
//!
//! What to do: switch it on. It concerns new disks only.

use keyvigil_model::finding::{Advice, Effect};
use keyvigil_model::severity::Severity;
use keyvigil_model::snapshot::{AwsEbsDefault, Config, Resource};
use keyvigil_model::verdict::{Read, UnknownReason};

use super::remedy;
use crate::check::CheckMeta;
use crate::control::{Case, Control, ControlMeta, Opinion};

/// The control.
pub(super) struct EbsDefaultEncryption;

static META: ControlMeta = ControlMeta {
    check: CheckMeta {
        id: "aws.ebs.default_encryption",
        title: "New disks of a region are not encrypted",
        severity: Severity::High,
        references: &["SOC2 CC6.1", "CIS AWS 6.1.1", "FSBP EC2.7"],
        source: include_str!("ebs_default_encryption.rs"),
    },
    requirement: "EBS encryption by default is on in every region.",
    permissions: &["ec2:GetEbsEncryptionByDefault"],
};

fn default_in(resource: Option<&Resource>) -> Option<&AwsEbsDefault> {
    match resource.map(|resource| &resource.config) {
        Some(Config::AwsEbsDefault(default)) => Some(default),
        _ => None,
    }
}

impl Control for EbsDefaultEncryption {
    fn meta(&self) -> &'static ControlMeta {
        &META
    }

    fn concerns(&self, resource: Option<&Resource>) -> bool {
        default_in(resource).is_some()
    }

    fn judge(&self, case: &Case<'_>) -> Opinion {
        match default_in(case.resource()).map(|default| &default.enabled) {
            Some(Read::Known(true)) => Opinion::pass("new disks are encrypted by default"),
            Some(Read::Known(false)) => Opinion::fail("new disks are not encrypted by default"),
            Some(Read::Unknown(reason)) => {
                Opinion::unknown(*reason, "the default of the region could not be read")
            }
            None => Opinion::unknown(UnknownReason::NotYetRead, "the region was not read yet"),
        }
    }

    fn advice(&self, case: &Case<'_>) -> Vec<Advice> {
        vec![remedy::run(
            case,
            "Switch encryption by default on. Existing disks are not changed.",
            Effect::ChangesState,
            "aws ec2 enable-ebs-encryption-by-default --region {region}",
        )]
    }
}
