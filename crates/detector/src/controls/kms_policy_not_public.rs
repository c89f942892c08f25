//! # A key policy lets everybody in
//!
//! Requires: no statement of the key policy lets any AWS account use the key. The policy is evaluated with its
//! conditions and denials; even `kms:DescribeKey` alone counts.
//!
//! Severity: by the strongest action: decrypting and administering critical, other use high, looking medium.
//!
//! PASS with a remark: access that only a network or endpoint bounds is not public, but open to other accounts inside
//! that network; `aws.kms.cross_account` says UNKNOWN for it.
//!
//! UNKNOWN without: `kms:GetKeyPolicy`; and for policies that rest on what cannot be evaluated: condition keys that are
//! not known, policy variables, times.
//!
//! What to do: name the principals, or bound the statement with `kms:CallerAccount` or `aws:PrincipalOrgID`.
//! `kms:ViaService` alone bounds nothing.

use keyvigil_model::finding::{Advice, Effect};
use keyvigil_model::severity::Severity;
use keyvigil_model::snapshot::Resource;
use keyvigil_model::verdict::{Read, UnknownReason};

use super::{remedy, rotatable};
use crate::check::CheckMeta;
use crate::control::{Applies, Case, Control, ControlMeta, Opinion};
use crate::iam::{self, Grant, PublicAccess};

/// The control.
pub(super) struct PolicyNotPublic;

static META: ControlMeta = ControlMeta {
    check: CheckMeta {
        id: "aws.kms.policy_not_public",
        title: "A key policy lets everybody in",
        severity: Severity::Critical,
        references: &["SOC2 CC6.1", "CIS AWS 2.21", "FSBP KMS.5"],
        source: include_str!("kms_policy_not_public.rs"),
    },
    requirement: "no statement lets any AWS account use the key.",
    permissions: &["kms:GetKeyPolicy", "kms:DescribeKey"],
};

impl Control for PolicyNotPublic {
    fn meta(&self) -> &'static ControlMeta {
        &META
    }

    fn concerns(&self, resource: Option<&Resource>) -> bool {
        rotatable::key_in(resource).is_some()
    }

    fn applies(&self, case: &Case<'_>) -> Applies {
        applies_to_customer_keys(case)
    }

    fn judge(&self, case: &Case<'_>) -> Opinion {
        let policy = match rotatable::key(case).map(|key| &key.policy) {
            Some(Read::Known(policy)) => policy,
            Some(Read::Unknown(reason)) => {
                return Opinion::unknown(*reason, "the key policy could not be read");
            }
            None => return Opinion::unknown(UnknownReason::NotYetRead, "the key was not read yet"),
        };
        match iam::public_access(policy) {
            PublicAccess::Public(grants) => Opinion::fail(listed(&grants)),
            PublicAccess::WithinNetwork(grants) => Opinion::pass(format!(
                "the policy is bounded by network, not by account: {}",
                listed(&grants)
            )),
            PublicAccess::NotPublic => Opinion::pass("the policy lets nobody in whom it does not name"),
            PublicAccess::NotConcluded(reasons) => {
                Opinion::unknown(UnknownReason::UnsupportedValue, reasons.join("; "))
            }
        }
    }

    fn severity(&self, case: &Case<'_>) -> Severity {
        let Some(Read::Known(policy)) = rotatable::key(case).map(|key| &key.policy) else {
            return META.check.severity;
        };
        match iam::public_access(policy) {
            PublicAccess::Public(grants) => grants
                .iter()
                .map(|grant| grant.power.severity())
                .max()
                .unwrap_or(META.check.severity),
            PublicAccess::WithinNetwork(_) | PublicAccess::NotPublic | PublicAccess::NotConcluded(_) => {
                META.check.severity
            }
        }
    }

    fn advice(&self, case: &Case<'_>) -> Vec<Advice> {
        review(case)
    }
}

/// Whether the policy of the key is the customer's.
pub(super) fn applies_to_customer_keys(case: &Case<'_>) -> Applies {
    match rotatable::metadata(case) {
        Ok(metadata) if !metadata.managed_by_customer => Applies::No("AWS manages this key and its policy"),
        // Whoever manages the key: a policy that was read is judged.
        Ok(_) | Err(_) => Applies::Yes,
    }
}

/// Grants in words, at most five.
pub(super) fn listed(grants: &[Grant]) -> String {
    let shown: Vec<String> = grants.iter().take(5).map(ToString::to_string).collect();
    let more = grants.len().saturating_sub(shown.len());
    if more == 0 {
        shown.join("; ")
    } else {
        format!("{}; and {more} more", shown.join("; "))
    }
}

/// How to look at the policy and close it.
pub(super) fn review(case: &Case<'_>) -> Vec<Advice> {
    vec![
        remedy::run(
            case,
            "Read the policy.",
            Effect::ReadOnly,
            "aws kms get-key-policy --key-id {id} --policy-name default --region {region}",
        ),
        remedy::say(
            "Name the principals, or bound the statement with kms:CallerAccount or aws:PrincipalOrgID. \
             kms:ViaService alone bounds nothing.",
        ),
        remedy::say("Look for uses of the key by other accounts since the policy was set."),
    ]
}
