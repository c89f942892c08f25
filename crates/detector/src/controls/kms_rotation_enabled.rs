//! # Automatic rotation of a key is off
//!
//! Requires: automatic rotation is on for every key that AWS can rotate: customer-managed, enabled, symmetric, for
//! encryption, with material from KMS.
//!
//! Does not apply to: asymmetric and HMAC keys, imported material, custom key stores (rotated by hand), keys of AWS,
//! disabled keys and keys that wait to be destroyed. A replica of a multi-Region key is judged by its primary.
//!
//! UNKNOWN without: `kms:DescribeKey`, `kms:GetKeyRotationStatus`.
//!
//! What to do: switch it on. It costs nothing in operation: old ciphertexts stay readable.

use keyvigil_model::finding::{Advice, Effect};
use keyvigil_model::severity::Severity;
use keyvigil_model::snapshot::Resource;
use keyvigil_model::verdict::{Read, UnknownReason};

use super::{remedy, rotatable};
use crate::check::CheckMeta;
use crate::control::{Applies, Case, Control, ControlMeta, Opinion};

/// The control.
pub(super) struct RotationEnabled;

static META: ControlMeta = ControlMeta {
    check: CheckMeta {
        id: "aws.kms.rotation_enabled",
        title: "Automatic rotation of a key is off",
        severity: Severity::High,
        references: &["SOC2 CC6.1", "CIS AWS 4.6", "FSBP KMS.4"],
        source: include_str!("kms_rotation_enabled.rs"),
    },
    requirement: "automatic rotation is on for every key that AWS can rotate.",
    permissions: &["kms:DescribeKey", "kms:GetKeyRotationStatus"],
};

impl Control for RotationEnabled {
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
        match rotatable::at_primary(case).map(|key| &key.rotation) {
            Some(Read::Known(rotation)) if rotation.enabled => Opinion::pass("automatic rotation is on"),
            Some(Read::Known(_)) => Opinion::fail("automatic rotation is off"),
            Some(Read::Unknown(reason)) => Opinion::unknown(*reason, "the rotation status could not be read"),
            None => Opinion::unknown(UnknownReason::NotYetRead, "the key was not read yet"),
        }
    }

    fn advice(&self, case: &Case<'_>) -> Vec<Advice> {
        if rotatable::is_replica(case) {
            return vec![remedy::say(
                "Switch rotation on at the primary of this multi-Region key.",
            )];
        }
        vec![remedy::run(
            case,
            "Switch automatic rotation on.",
            Effect::ChangesState,
            "aws kms enable-key-rotation --key-id {id} --region {region}",
        )]
    }
}
