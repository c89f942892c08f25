//! # The root of an account has no second factor
//!
//! Requires: root signs in with a second factor, or has no credentials at all (no password, no access key), as members
//! of an organisation with central root management may. That the feature is on is not enough: the credentials must be
//! gone.
//!
//! UNKNOWN without: `iam:GetAccountSummary`, `iam:GenerateCredentialReport`, `iam:GetCredentialReport`.
//!
//! What to do: register a hardware token or passkey for root, or remove root's credentials centrally.

use keyvigil_model::finding::Advice;
use keyvigil_model::severity::Severity;
use keyvigil_model::snapshot::{AwsRoot, Config, Resource};
use keyvigil_model::verdict::{Read, UnknownReason};

use super::remedy;
use crate::check::CheckMeta;
use crate::control::{Case, Control, ControlMeta, Opinion};

/// The control.
pub(super) struct RootMfa;

static META: ControlMeta = ControlMeta {
    check: CheckMeta {
        id: "aws.iam.root_mfa",
        title: "The root of an account has no second factor",
        severity: Severity::Critical,
        references: &[
            "SOC2 CC6.1",
            "CIS AWS 2.5",
            "CIS AWS 2.6",
            "FSBP IAM.6",
            "FSBP IAM.9",
        ],
        source: include_str!("iam_root_mfa.rs"),
    },
    requirement: "root has a second factor, or no credentials at all.",
    permissions: &[
        "iam:GetAccountSummary",
        "iam:GenerateCredentialReport",
        "iam:GetCredentialReport",
    ],
};

/// The root of a resource.
pub(super) fn root_in(resource: Option<&Resource>) -> Option<&AwsRoot> {
    match resource.map(|resource| &resource.config) {
        Some(Config::AwsRoot(root)) => Some(root),
        _ => None,
    }
}

impl Control for RootMfa {
    fn meta(&self) -> &'static ControlMeta {
        &META
    }

    fn concerns(&self, resource: Option<&Resource>) -> bool {
        root_in(resource).is_some()
    }

    fn judge(&self, case: &Case<'_>) -> Opinion {
        let Some(root) = root_in(case.resource()) else {
            return Opinion::unknown(UnknownReason::NotYetRead, "root was not read yet");
        };
        if root.mfa == Read::Known(true) {
            return Opinion::pass("root has a second factor");
        }
        let no_credentials = root.password == Read::Known(false) && root.access_keys == Read::Known(0);
        if no_credentials {
            return Opinion::pass("root has no credentials at all");
        }
        if let Read::Unknown(reason) = root.mfa {
            return Opinion::unknown(reason, "whether root has a second factor could not be read");
        }
        let has_keys = matches!(root.access_keys, Read::Known(count) if count > 0);
        if root.password == Read::Known(true) || has_keys {
            return Opinion::fail("root has credentials and no second factor");
        }
        // No second factor, and one of the credentials could not be seen: it may be that there is none.
        let reason = root.password.get().err().or(root.access_keys.get().err());
        let reason = reason.unwrap_or(UnknownReason::NotVisible);
        Opinion::unknown(
            reason,
            "root has no second factor, and whether it has credentials could not be read",
        )
    }

    fn advice(&self, _case: &Case<'_>) -> Vec<Advice> {
        vec![
            remedy::say("Sign in as root and register a hardware token or a passkey, then lock it away."),
            remedy::say("Or remove root's credentials centrally (IAM, root access management)."),
        ]
    }
}
