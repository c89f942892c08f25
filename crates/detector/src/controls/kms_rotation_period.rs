//! # A key rotates too seldom
//!
//! Requires: the rotation period is at most `rotation.max_age_days` of the policy. AWS accepts 90 to 2560 days.
//!
//! Does not apply to: keys that AWS cannot rotate, and keys whose rotation is off: `aws.kms.rotation_enabled` says so.
//!
//! UNKNOWN without: `kms:DescribeKey`, `kms:GetKeyRotationStatus`; or if the answer does not say the period.
//!
//! What to do: shorten the period.

use keyvigil_model::finding::{Advice, Effect};
use keyvigil_model::severity::Severity;
use keyvigil_model::snapshot::Resource;
use keyvigil_model::verdict::{Read, UnknownReason};

use super::{remedy, rotatable};
use crate::check::CheckMeta;
use crate::control::{Applies, Case, Control, ControlMeta, Opinion};

/// The control.
pub(super) struct RotationPeriod;

static META: ControlMeta = ControlMeta {
    check: CheckMeta {
        id: "aws.kms.rotation_period",
        title: "A key rotates too seldom",
        severity: Severity::High,
        references: &["SOC2 CC6.1"],
        source: include_str!("kms_rotation_period.rs"),
    },
    requirement: "the rotation period is at most that of the policy.",
    permissions: &["kms:DescribeKey", "kms:GetKeyRotationStatus"],
};

impl Control for RotationPeriod {
    fn meta(&self) -> &'static ControlMeta {
        &META
    }

    fn concerns(&self, resource: Option<&Resource>) -> bool {
        rotatable::key_in(resource).is_some()
    }

    fn applies(&self, case: &Case<'_>) -> Applies {
        rotatable::applies(case)
    }

    fn judge(&self, case: &Case<'_>) -> Opinion {
        let rotation = match rotatable::at_primary(case).map(|key| &key.rotation) {
            Some(Read::Known(rotation)) => rotation,
            Some(Read::Unknown(reason)) => {
                return Opinion::unknown(*reason, "the rotation status could not be read");
            }
            None => return Opinion::unknown(UnknownReason::NotYetRead, "the key was not read yet"),
        };
        if !rotation.enabled {
            let reason = "automatic rotation is off";
            return Opinion::not_applicable(reason, reason);
        }
        let accepted = case.policy.rotation.max_age_days;
        match rotation.period_days {
            Some(days) if days <= accepted => {
                Opinion::pass(format!("it rotates every {days} days; accepted are {accepted}"))
            }
            Some(days) => Opinion::fail(format!("it rotates every {days} days; accepted are {accepted}")),
            None => Opinion::unknown(UnknownReason::Unreadable, "AWS did not say the rotation period"),
        }
    }

    fn advice(&self, case: &Case<'_>) -> Vec<Advice> {
        if rotatable::is_replica(case) {
            return vec![remedy::say(
                "Shorten the period at the primary of this multi-Region key.",
            )];
        }
        let days = case.policy.rotation.max_age_days.clamp(90, 2560);
        let command = format!(
            "aws kms enable-key-rotation --key-id {{id}} --rotation-period-in-days {days} --region {{region}}"
        );
        vec![remedy::run(
            case,
            "Shorten the rotation period.",
            Effect::ChangesState,
            &command,
        )]
    }
}
