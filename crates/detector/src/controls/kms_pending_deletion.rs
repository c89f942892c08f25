//! # A key waits to be destroyed
//!
//! Requires: no customer key is in `PendingDeletion` or `PendingReplicaDeletion`. A planned destruction is an
//! exception of the policy, with owner, reason and end.
//!
//! Severity: critical if something that was read is encrypted with the key, high otherwise. That nothing was found
//! does not prove that nothing depends on it.
//!
//! UNKNOWN without: `kms:DescribeKey`.
//!
//! What to do: if in doubt, cancel first and ask later. At the deadline everything encrypted under the key is lost for
//! ever. A cancelled key stays disabled until somebody enables it.

use keyvigil_model::finding::{Advice, Effect};
use keyvigil_model::severity::Severity;
use keyvigil_model::snapshot::{AwsKeyState, Resource};
use keyvigil_model::verdict::UnknownReason;

use super::{remedy, rotatable};
use crate::check::CheckMeta;
use crate::control::{Applies, Case, Control, ControlMeta, Opinion, Stakes};

/// The control.
pub(super) struct PendingDeletion;

static META: ControlMeta = ControlMeta {
    check: CheckMeta {
        id: "aws.kms.pending_deletion",
        title: "A key waits to be destroyed",
        severity: Severity::Critical,
        references: &["SOC2 CC6.1", "SOC2 A1.2", "FSBP KMS.3"],
        source: include_str!("kms_pending_deletion.rs"),
    },
    requirement: "no customer key waits to be destroyed without an exception.",
    permissions: &["kms:DescribeKey"],
};

impl Control for PendingDeletion {
    fn meta(&self) -> &'static ControlMeta {
        &META
    }

    fn concerns(&self, resource: Option<&Resource>) -> bool {
        rotatable::key_in(resource).is_some()
    }

    fn applies(&self, case: &Case<'_>) -> Applies {
        match rotatable::metadata(case) {
            Ok(metadata) if metadata.managed_by_customer => Applies::Yes,
            Ok(_) => Applies::No("AWS manages this key"),
            Err(reason) => Applies::Unknown(reason, "the key could not be described"),
        }
    }

    fn judge(&self, case: &Case<'_>) -> Opinion {
        let metadata = match rotatable::metadata(case) {
            Ok(metadata) => metadata,
            Err(reason) => return Opinion::unknown(reason, "the key could not be described"),
        };
        let protects = case.key().and_then(|key| case.inventory.protects(&key.id));
        let used_by = protects.map_or_else(
            || "nothing that was read names it".to_owned(),
            |protects| format!("it protects {protects}"),
        );
        match metadata.state {
            AwsKeyState::PendingDeletion => Opinion::fail(match metadata.deletion_date {
                Some(date) => format!("the key will be destroyed at {date}; {used_by}"),
                None => format!("the key waits to be destroyed; {used_by}"),
            }),
            AwsKeyState::PendingReplicaDeletion => Opinion::fail(match metadata.pending_window_days {
                Some(days) => {
                    format!("the key will be destroyed {days} days after its last replica is gone; {used_by}")
                }
                None => format!("the key will be destroyed after its last replica is gone; {used_by}"),
            }),
            AwsKeyState::Unrecognised => Opinion::unknown(
                UnknownReason::UnsupportedValue,
                "the state of the key is not known",
            ),
            AwsKeyState::Creating
            | AwsKeyState::Enabled
            | AwsKeyState::Disabled
            | AwsKeyState::PendingImport
            | AwsKeyState::Unavailable
            | AwsKeyState::Updating => Opinion::pass("the key does not wait to be destroyed"),
        }
    }

    fn severity(&self, case: &Case<'_>) -> Severity {
        match case.key().and_then(|key| case.inventory.protects(&key.id)) {
            Some(_) => META.check.severity,
            None => META.check.severity.lowered(),
        }
    }

    fn advice(&self, case: &Case<'_>) -> Vec<Advice> {
        vec![
            remedy::run(
                case,
                "Look at the key: state, deadline, who may still use it.",
                Effect::ReadOnly,
                "aws kms describe-key --key-id {id} --region {region}",
            ),
            remedy::run(
                case,
                "Cancel the destruction. The key stays disabled until it is enabled.",
                Effect::ChangesState,
                "aws kms cancel-key-deletion --key-id {id} --region {region}",
            ),
        ]
    }

    fn stakes(&self, case: &Case<'_>) -> Stakes {
        Stakes {
            blast_radius: Some(
                "The key cannot be used now; at the deadline everything encrypted under it is lost for ever."
                    .to_owned(),
            ),
            deadline: rotatable::metadata(case)
                .ok()
                .and_then(|metadata| metadata.deletion_date),
        }
    }
}
