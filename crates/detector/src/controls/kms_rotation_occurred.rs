//! # A key was not rotated in time
//!
//! Requires: the last rotation (automatic or on demand), or the creation of the key, is at most
//! `rotation.max_age_days` + `rotation.grace_days` ago. This is rotation as an outcome, not as a setting.
//!
//! Does not apply to: keys that AWS cannot rotate; and keys that never rotated because AWS has not yet come to the
//! first rotation since it was switched on, as long as that rotation is due within the accepted time. (AWS counts the
//! first period from the day on which rotation was switched on.)
//!
//! UNKNOWN without: `kms:DescribeKey`, `kms:ListKeyRotations` (unless the key is younger than the accepted age).
//!
//! What to do: rotate on demand; AWS allows 25 rotations on demand for a key.

use std::time::Duration;

use keyvigil_model::finding::{Advice, Effect};
use keyvigil_model::severity::Severity;
use keyvigil_model::snapshot::Resource;
use keyvigil_model::verdict::{Read, UnknownReason};

use super::{remedy, rotatable};
use crate::check::CheckMeta;
use crate::control::{Applies, Case, Control, ControlMeta, Opinion};

/// The control.
pub(super) struct RotationOccurred;

static META: ControlMeta = ControlMeta {
    check: CheckMeta {
        id: "aws.kms.rotation_occurred",
        title: "A key was not rotated in time",
        severity: Severity::High,
        references: &["SOC2 CC6.1"],
        source: include_str!("kms_rotation_occurred.rs"),
    },
    requirement: "a rotation really happened within the time of the policy, or the key is younger.",
    permissions: &[
        "kms:DescribeKey",
        "kms:ListKeyRotations",
        "kms:GetKeyRotationStatus",
    ],
};

const DAY: u64 = 86_400;

impl Control for RotationOccurred {
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
        let (Some(key), Ok(metadata)) = (rotatable::at_primary(case), rotatable::metadata(case)) else {
            return Opinion::unknown(UnknownReason::NotYetRead, "the key was not read yet");
        };
        let rotation = &case.policy.rotation;
        let accepted = Duration::from_secs(u64::from(rotation.max_age_days + rotation.grace_days) * DAY);
        let limit = format!(
            "accepted are {} and {} days of grace",
            rotation.max_age_days, rotation.grace_days
        );
        // A replica is younger than the material that it shares.
        let created = match &key.metadata {
            Read::Known(primary) => primary.created,
            Read::Unknown(_) => metadata.created,
        };
        if case.now.since(created) <= accepted && !rotatable::is_replica(case) {
            let age = case.now.since(created).as_secs() / DAY;
            return Opinion::pass(format!("the key was created {age} days ago; {limit}"));
        }
        let rotations = match &key.rotations {
            Read::Known(rotations) => rotations,
            Read::Unknown(reason) => {
                return Opinion::unknown(*reason, "the completed rotations could not be listed");
            }
        };
        let last = rotations.iter().max().copied();
        let since = case.now.since(last.unwrap_or(created).max(created));
        let days = since.as_secs() / DAY;
        if since <= accepted {
            return Opinion::pass(format!("it was last rotated or created {days} days ago; {limit}"));
        }
        if last.is_some() {
            return Opinion::fail(format!("it was last rotated {days} days ago; {limit}"));
        }
        if let Read::Known(status) = &key.rotation
            && let Some(next) = status.next
            && status.enabled
            && next > case.now
            && next.since(case.now) <= accepted
        {
            let reason = "no rotation was due since automatic rotation was switched on";
            return Opinion::not_applicable(reason, format!("{reason}; the first is due at {next}"));
        }
        Opinion::fail(format!(
            "it was created {days} days ago and never rotated; {limit}"
        ))
    }

    fn advice(&self, case: &Case<'_>) -> Vec<Advice> {
        if rotatable::is_replica(case) {
            return vec![remedy::say("Rotate the primary of this multi-Region key.")];
        }
        vec![
            remedy::run(
                case,
                "See which rotations happened.",
                Effect::ReadOnly,
                "aws kms list-key-rotations --key-id {id} --region {region}",
            ),
            remedy::run(
                case,
                "Rotate now. Old ciphertexts stay readable; AWS allows 25 rotations on demand for a key.",
                Effect::Irreversible,
                "aws kms rotate-key-on-demand --key-id {id} --region {region}",
            ),
        ]
    }
}
