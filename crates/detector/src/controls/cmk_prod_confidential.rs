//! # Confidential production data is not under a customer-managed key
//!
//! Requires: what the tags call production and confidential (`tags` of the policy) is encrypted with a key that the
//! customer manages.
//!
//! Does not apply to what the tags call something else.
//!
//! UNKNOWN: where a tag that would decide it is missing: such resources are counted, never silently passed; where tags
//! or encryption could not be read; where the key could not be described.
//!
//! What to do: move the data under a customer-managed key. Databases and disks need a copy for that.

use keyvigil_model::finding::Advice;
use keyvigil_model::key::KeyTier;
use keyvigil_model::severity::Severity;
use keyvigil_model::snapshot::{Config, Resource};
use keyvigil_model::verdict::UnknownReason;

use super::remedy;
use crate::check::CheckMeta;
use crate::control::{Applies, Case, Control, ControlMeta, Opinion};
use crate::inventory::data_class::{DataClass, data_class};

/// The control.
pub(super) struct ProdConfidential;

static META: ControlMeta = ControlMeta {
    check: CheckMeta {
        id: "x.cmk.prod_confidential",
        title: "Confidential production data is not under a customer-managed key",
        severity: Severity::High,
        references: &["SOC2 CC6.1", "MCSB DP-5"],
        source: include_str!("cmk_prod_confidential.rs"),
    },
    requirement: "confidential production data is encrypted with a customer-managed key.",
    permissions: &[
        "s3:GetBucketTagging",
        "s3:GetEncryptionConfiguration",
        "kms:DescribeKey",
    ],
};

impl Control for ProdConfidential {
    fn meta(&self) -> &'static ControlMeta {
        &META
    }

    fn concerns(&self, resource: Option<&Resource>) -> bool {
        matches!(
            resource.map(|resource| &resource.config),
            Some(Config::AwsBucket(_) | Config::Storage(_))
        )
    }

    fn applies(&self, case: &Case<'_>) -> Applies {
        let Some(resource) = case.resource() else {
            return Applies::Unknown(UnknownReason::NotYetRead, "it was not read yet");
        };
        match data_class(&resource.tags, &case.policy.tags) {
            Ok(DataClass::ProductionConfidential) => Applies::Yes,
            Ok(DataClass::Other) => Applies::No("the tags do not say production and confidential"),
            Ok(DataClass::NotTagged(_)) => Applies::Unknown(
                UnknownReason::NotVisible,
                "no tag says the environment, or none the classification",
            ),
            Err(reason) => Applies::Unknown(reason, "the tags could not be read"),
        }
    }

    fn judge(&self, case: &Case<'_>) -> Opinion {
        match case
            .resource()
            .and_then(|resource| case.inventory.tier_of(resource))
        {
            Some(Ok(tier)) if tier >= KeyTier::CustomerManaged => {
                Opinion::pass("it is encrypted with a customer-managed key")
            }
            Some(Ok(tier)) => Opinion::fail(format!(
                "its encryption is {}; required is {}",
                tier.as_str(),
                KeyTier::CustomerManaged.as_str()
            )),
            Some(Err(reason)) => Opinion::unknown(reason, "its encryption or its key could not be read"),
            None => Opinion::unknown(UnknownReason::NotYetRead, "it was not read yet"),
        }
    }

    fn advice(&self, _case: &Case<'_>) -> Vec<Advice> {
        vec![
            remedy::say(
                "Choose a customer-managed key of the same region that only the owners of this data may use.",
            ),
            remedy::say(
                "Buckets: change the default and copy the objects. Databases and disks: copy a snapshot with the key.",
            ),
        ]
    }
}
