//! # A key is shared with somebody outside
//!
//! Requires: whoever is let in by the key policy or by a grant belongs to the organisation (`organisation.accounts`,
//! `organisation.ids`) or is a partner whose trust has not expired. The account of the key is always trusted.
//!
//! Services of AWS that may act for any account are named in the observation and do not fail the control: AWS
//! documents such key policies, and the remedy is a condition on `aws:SourceAccount`.
//!
//! UNKNOWN without: `kms:GetKeyPolicy`, `kms:ListGrants`; for what cannot be evaluated; for access that only a network
//! bounds; and for grants whose grantee does not say its account. What was seen outside fails all the same.
//!
//! What to do: take the outsider out of the policy or revoke the grant, or record the account as a partner.

use keyvigil_model::facts::Grant;
use keyvigil_model::finding::{Advice, Effect};
use keyvigil_model::severity::Severity;
use keyvigil_model::snapshot::Resource;
use keyvigil_model::verdict::{Read, UnknownReason};

use super::kms_policy_not_public::{applies_to_customer_keys, listed, review};
use super::{remedy, rotatable};
use crate::check::CheckMeta;
use crate::control::{Applies, Case, Control, ControlMeta, Opinion};
use crate::iam::{self, Boundary, Reach};

/// The control.
pub(super) struct CrossAccount;

static META: ControlMeta = ControlMeta {
    check: CheckMeta {
        id: "aws.kms.cross_account",
        title: "A key is shared with somebody outside",
        severity: Severity::High,
        references: &["SOC2 CC6.1", "SOC2 CC6.6"],
        source: include_str!("kms_cross_account.rs"),
    },
    requirement: "everybody whom the policy or a grant lets in belongs to the organisation or is a partner.",
    permissions: &["kms:GetKeyPolicy", "kms:ListGrants", "kms:DescribeKey"],
};

/// What was seen, and what could not be.
#[derive(Default)]
struct Seen {
    outside: Vec<String>,
    unclear: Option<(UnknownReason, String)>,
    remarks: Vec<String>,
}

impl Seen {
    fn unclear(&mut self, reason: UnknownReason, what: impl Into<String>) {
        self.unclear.get_or_insert_with(|| (reason, what.into()));
    }
}

impl Control for CrossAccount {
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
        let Some(key) = rotatable::key(case) else {
            return Opinion::unknown(UnknownReason::NotYetRead, "the key was not read yet");
        };
        let boundary = Boundary::of(case.policy, case.reference.account.as_ref(), case.now);
        let mut seen = Seen::default();
        match &key.policy {
            Read::Known(policy) => look_at_policy(&iam::outside_principals(policy, &boundary), &mut seen),
            Read::Unknown(reason) => seen.unclear(*reason, "the key policy could not be read"),
        }
        match &key.grants {
            Read::Known(grants) => look_at_grants(grants, &boundary, &mut seen),
            Read::Unknown(reason) => seen.unclear(*reason, "the grants could not be listed"),
        }
        if !seen.outside.is_empty() {
            return Opinion::fail(seen.outside.join("; "));
        }
        if let Some((reason, what)) = seen.unclear {
            return Opinion::unknown(reason, what);
        }
        if seen.remarks.is_empty() {
            return Opinion::pass("policy and grants let in nobody outside");
        }
        Opinion::pass(format!(
            "policy and grants let in nobody outside, but {}",
            seen.remarks.join("; ")
        ))
    }

    fn advice(&self, case: &Case<'_>) -> Vec<Advice> {
        let mut steps = vec![remedy::run(
            case,
            "List the grants; revoke one with `aws kms revoke-grant`.",
            Effect::ReadOnly,
            "aws kms list-grants --key-id {id} --region {region}",
        )];
        steps.extend(review(case));
        steps.push(remedy::say(
            "If the access is wanted: record the account as a partner, with owner and end.",
        ));
        steps
    }
}

fn look_at_policy(access: &iam::OutsideAccess, seen: &mut Seen) {
    let (nearby, outside): (Vec<_>, Vec<_>) = access
        .grants
        .iter()
        .cloned()
        .partition(|grant| grant.reach == Reach::WithinNetwork);
    if !outside.is_empty() {
        seen.outside.push(listed(&outside));
    }
    if !nearby.is_empty() {
        let what = format!(
            "the policy is bounded by network, not by account: {}",
            listed(&nearby)
        );
        seen.unclear(UnknownReason::NotVisible, what);
    }
    if !access.doubts.is_empty() {
        seen.unclear(UnknownReason::UnsupportedValue, access.doubts.join("; "));
    }
    if !access.services.is_empty() {
        seen.remarks.push(format!(
            "services are not bound to an account: {}",
            listed(&access.services)
        ));
    }
}

fn look_at_grants(grants: &[Grant], boundary: &Boundary, seen: &mut Seen) {
    let mut shown = 0;
    let mut more = 0_usize;
    for grant in grants {
        if grant.grantee_is_service {
            continue;
        }
        let Some(account) = &grant.grantee_account else {
            seen.unclear(
                UnknownReason::NotVisible,
                "a grant does not say the account of its grantee",
            );
            continue;
        };
        if boundary.accounts.contains(account.as_str()) {
            continue;
        }
        if shown == 5 {
            more += 1;
            continue;
        }
        shown += 1;
        let operations: Vec<&str> = grant.operations.iter().map(|operation| &**operation).collect();
        let bound = if grant.constrained {
            ""
        } else {
            ", without an encryption-context constraint"
        };
        seen.outside.push(format!(
            "a grant lets account {} call {}{bound}",
            account.as_str(),
            operations.join(", ")
        ));
    }
    if more > 0 {
        seen.outside.push(format!("and {more} more grants"));
    }
}
