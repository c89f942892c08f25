//! # Access keys are old, unused or belong to root
//!
//! Requires: root has no access key. A user has at most one active key; it is younger than `credentials.max_age_days`
//! and was used within `credentials.max_unused_days`.
//!
//! Does not apply to users without an active access key. AWS makes the credential report every four hours at most.
//!
//! Severity: high; critical for keys of root.
//!
//! UNKNOWN without: `iam:GetAccountSummary`, `iam:GenerateCredentialReport`, `iam:GetCredentialReport`.
//!
//! What to do: replace the key, or better: give the software a role. Deactivate before deleting.

use std::time::Duration;

use keyvigil_model::finding::{Advice, Effect};
use keyvigil_model::severity::Severity;
use keyvigil_model::snapshot::{AwsAccessKey, AwsUser, Config, Resource};
use keyvigil_model::time::Timestamp;
use keyvigil_model::verdict::{Read, UnknownReason};

use super::iam_root_mfa::root_in;
use super::remedy;
use crate::check::CheckMeta;
use crate::control::{Case, Control, ControlMeta, Opinion};
use crate::policy::settings::Credentials;

/// The control.
pub(super) struct AccessKeys;

static META: ControlMeta = ControlMeta {
    check: CheckMeta {
        id: "aws.iam.access_keys",
        title: "Access keys are old, unused or belong to root",
        severity: Severity::High,
        references: &[
            "SOC2 CC6.1",
            "CIS AWS 2.4",
            "CIS AWS 2.11",
            "CIS AWS 2.12",
            "FSBP IAM.3",
            "FSBP IAM.4",
        ],
        source: include_str!("iam_access_keys.rs"),
    },
    requirement: "root has no access key; a user has at most one, young and in use.",
    permissions: &[
        "iam:GetAccountSummary",
        "iam:GenerateCredentialReport",
        "iam:GetCredentialReport",
    ],
};

fn user_in(resource: Option<&Resource>) -> Option<&AwsUser> {
    match resource.map(|resource| &resource.config) {
        Some(Config::AwsUser(user)) => Some(user),
        _ => None,
    }
}

impl Control for AccessKeys {
    fn meta(&self) -> &'static ControlMeta {
        &META
    }

    fn concerns(&self, resource: Option<&Resource>) -> bool {
        root_in(resource).is_some() || user_in(resource).is_some()
    }

    fn judge(&self, case: &Case<'_>) -> Opinion {
        if let Some(root) = root_in(case.resource()) {
            return match root.access_keys {
                Read::Known(0) => Opinion::pass("root has no access key"),
                Read::Known(1) => Opinion::fail("root has an access key"),
                Read::Known(count) => Opinion::fail(format!("root has {count} access keys")),
                Read::Unknown(reason) => {
                    Opinion::unknown(reason, "whether root has access keys could not be read")
                }
            };
        }
        let Some(user) = user_in(case.resource()) else {
            return Opinion::unknown(UnknownReason::NotYetRead, "the user was not read yet");
        };
        if user.access_keys.is_empty() {
            let reason = "the user has no active access key";
            return Opinion::not_applicable(reason, reason);
        }
        let mut faults = Vec::new();
        let mut unreadable = false;
        if user.access_keys.len() > 1 {
            faults.push(format!("{} access keys are active", user.access_keys.len()));
        }
        for key in &user.access_keys {
            match faults_of(key, &case.policy.credentials, case.now) {
                Some(list) => faults.extend(list),
                None => unreadable = true,
            }
        }
        if !faults.is_empty() {
            return Opinion::fail(faults.join("; "));
        }
        if unreadable {
            return Opinion::unknown(
                UnknownReason::Unreadable,
                "the age of an access key could not be read",
            );
        }
        Opinion::pass("the access key is young and in use")
    }

    fn severity(&self, case: &Case<'_>) -> Severity {
        if root_in(case.resource()).is_some() {
            Severity::Critical
        } else {
            META.check.severity
        }
    }

    fn advice(&self, case: &Case<'_>) -> Vec<Advice> {
        if root_in(case.resource()).is_some() {
            return vec![remedy::say(
                "Sign in as root and delete the access keys; use roles instead.",
            )];
        }
        vec![
            remedy::run(
                case,
                "See the user's keys.",
                Effect::ReadOnly,
                "aws iam list-access-keys --user-name {name}",
            ),
            remedy::say(
                "Give the software a role instead, or replace the key; deactivate the old one before deleting it.",
            ),
        ]
    }
}

/// What is wrong with a key; `None` if its age is not known.
fn faults_of(key: &AwsAccessKey, accepted: &Credentials, now: Timestamp) -> Option<Vec<String>> {
    let rotated = key.rotated?;
    let mut faults = Vec::new();
    let age = now.since(rotated);
    if age > days(accepted.max_age_days) {
        let limit = accepted.max_age_days;
        faults.push(format!(
            "access key {} is {} days old; accepted are {limit}",
            key.slot,
            in_days(age)
        ));
    }
    let unused = now.since(key.last_used.unwrap_or(rotated).max(rotated));
    if unused > days(accepted.max_unused_days) {
        let since = if key.last_used.is_some() {
            "was not used for"
        } else {
            "was never used, for"
        };
        let limit = accepted.max_unused_days;
        faults.push(format!(
            "access key {} {since} {} days; accepted are {limit}",
            key.slot,
            in_days(unused)
        ));
    }
    Some(faults)
}

fn days(count: u32) -> Duration {
    Duration::from_secs(u64::from(count) * 86_400)
}

fn in_days(span: Duration) -> u64 {
    span.as_secs() / 86_400
}
