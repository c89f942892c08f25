//! # A key or data lies in a region that is not approved
//!
//! Requires: keys, their replicas, buckets, disks, databases and snapshots lie in `approved_regions` of the policy.
//!
//! Does not apply: while the policy approves no regions; to keys of AWS, which appear where a service is first used; to
//! keys that wait to be destroyed.
//!
//! UNKNOWN: where the region of a resource could not be read. Preventive guardrails (SCPs) are not read.
//!
//! What to do: find out who uses it there and why; move or destroy it, or approve the region.

use keyvigil_model::finding::Advice;
use keyvigil_model::id::Region;
use keyvigil_model::resource::ResourceKind;
use keyvigil_model::severity::Severity;
use keyvigil_model::snapshot::{AwsKeyState, Resource};
use keyvigil_model::verdict::UnknownReason;

use super::{remedy, rotatable};
use crate::check::CheckMeta;
use crate::control::{Applies, Case, Control, ControlMeta, Opinion};
use crate::policy::{Policy, selector};

/// The control.
pub(super) struct RegionApproved;

static META: ControlMeta = ControlMeta {
    check: CheckMeta {
        id: "x.region_approved",
        title: "A key or data lies in a region that is not approved",
        severity: Severity::High,
        references: &["SOC2 CC6.1", "CIS AWS 2.1.2"],
        source: include_str!("region_approved.rs"),
    },
    requirement: "keys and data lie in approved regions.",
    permissions: &["kms:DescribeKey", "s3:GetBucketLocation"],
};

/// Whether the policy approves the region. Without a list it approves all.
pub(super) fn is_approved(policy: &Policy, region: &Region) -> bool {
    policy.approved_regions.is_empty() || selector::any(&policy.approved_regions, region.as_str())
}

impl Control for RegionApproved {
    fn meta(&self) -> &'static ControlMeta {
        &META
    }

    fn concerns(&self, resource: Option<&Resource>) -> bool {
        resource.is_some_and(|resource| match resource.reference.kind {
            ResourceKind::Key
            | ResourceKind::Bucket
            | ResourceKind::Disk
            | ResourceKind::DiskSnapshot
            | ResourceKind::Database
            | ResourceKind::DatabaseCluster
            | ResourceKind::DatabaseSnapshot
            | ResourceKind::Secret => true,
            ResourceKind::DiskDefault
            | ResourceKind::AuditLog
            | ResourceKind::Account
            | ResourceKind::User
            | ResourceKind::Role
            | ResourceKind::Other => false,
        })
    }

    fn applies(&self, case: &Case<'_>) -> Applies {
        if case.policy.approved_regions.is_empty() {
            return Applies::No("the policy does not limit regions");
        }
        if rotatable::key(case).is_none() {
            return Applies::Yes;
        }
        match rotatable::metadata(case) {
            Ok(metadata) if !metadata.managed_by_customer => Applies::No("AWS manages this key"),
            Ok(metadata) if metadata.state == AwsKeyState::PendingDeletion => {
                Applies::No("the key waits to be destroyed")
            }
            Ok(_) => Applies::Yes,
            Err(reason) => Applies::Unknown(reason, "the key could not be described"),
        }
    }

    fn judge(&self, case: &Case<'_>) -> Opinion {
        let known = case
            .reference
            .region
            .as_ref()
            .filter(|region| region.as_str() != "global");
        let Some(region) = known else {
            return Opinion::unknown(UnknownReason::NotVisible, "the region could not be read");
        };
        let mut outside: Vec<&str> = Vec::new();
        if !is_approved(case.policy, region) {
            outside.push(region.as_str());
        }
        if let Ok(metadata) = rotatable::metadata(case) {
            for replica in &metadata.replica_regions {
                if !is_approved(case.policy, replica) && !outside.contains(&replica.as_str()) {
                    outside.push(replica.as_str());
                }
            }
        }
        if outside.is_empty() {
            return Opinion::pass(format!("it lies in {}, which is approved", region.as_str()));
        }
        Opinion::fail(format!(
            "it lies, or has a replica, in {}, which is not approved",
            outside.join(", ")
        ))
    }

    fn advice(&self, _case: &Case<'_>) -> Vec<Advice> {
        vec![
            remedy::say("Find out who created it there, and what uses it."),
            remedy::say("Move it or destroy it; or approve the region in `approved_regions`."),
        ]
    }
}
