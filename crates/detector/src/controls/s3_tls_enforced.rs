//! # A bucket accepts plain HTTP
//!
//! Requires: the bucket policy refuses every request that is not encrypted in transit: for everybody, every S3 action,
//! the bucket and its objects. Part of it is not enough. Accepted are a Deny on `aws:SecureTransport` = `false` and a
//! Deny on `s3:TlsVersion` below 1.2.
//!
//! What is not seen: organisation-wide guardrails (RCPs, SCPs) that refuse plain HTTP. Record them as an exception.
//!
//! UNKNOWN without: `s3:GetBucketPolicy`; and for policies that cannot be evaluated.
//!
//! What to do: add the documented Deny statement to the bucket policy.

use keyvigil_model::finding::{Advice, Effect};
use keyvigil_model::severity::Severity;
use keyvigil_model::snapshot::Resource;
use keyvigil_model::verdict::{Read, UnknownReason};

use super::remedy;
use super::s3_default_encryption::bucket_in;
use crate::check::CheckMeta;
use crate::control::{Case, Control, ControlMeta, Opinion};
use crate::iam::{self, TlsEnforcement};

/// The control.
pub(super) struct TlsEnforced;

static META: ControlMeta = ControlMeta {
    check: CheckMeta {
        id: "aws.s3.tls_enforced",
        title: "A bucket accepts plain HTTP",
        severity: Severity::High,
        references: &["SOC2 CC6.6", "SOC2 CC6.7", "CIS AWS 3.1.1", "FSBP S3.5"],
        source: include_str!("s3_tls_enforced.rs"),
    },
    requirement: "the bucket policy refuses plain HTTP for everybody, every action, the bucket and its objects.",
    permissions: &["s3:GetBucketPolicy"],
};

impl Control for TlsEnforced {
    fn meta(&self) -> &'static ControlMeta {
        &META
    }

    fn concerns(&self, resource: Option<&Resource>) -> bool {
        bucket_in(resource).is_some()
    }

    fn judge(&self, case: &Case<'_>) -> Opinion {
        let policy = match bucket_in(case.resource()).map(|bucket| &bucket.policy) {
            Some(Read::Known(Some(policy))) => policy,
            Some(Read::Known(None)) => {
                return Opinion::fail("the bucket has no policy, so plain HTTP is accepted");
            }
            Some(Read::Unknown(reason)) => {
                return Opinion::unknown(*reason, "the bucket policy could not be read");
            }
            None => return Opinion::unknown(UnknownReason::NotYetRead, "the bucket was not read yet"),
        };
        match iam::tls_enforcement(policy, &bucket_arn(case)) {
            TlsEnforcement::Enforced => Opinion::pass("the bucket policy refuses plain HTTP"),
            TlsEnforcement::NotEnforced => {
                Opinion::fail("no statement of the bucket policy refuses plain HTTP")
            }
            TlsEnforcement::Partial(missing) => {
                Opinion::fail(format!("the bucket policy refuses plain HTTP in part: {missing}"))
            }
            TlsEnforcement::NotConcluded(reasons) => {
                Opinion::unknown(UnknownReason::UnsupportedValue, reasons.join("; "))
            }
        }
    }

    fn advice(&self, case: &Case<'_>) -> Vec<Advice> {
        vec![
            remedy::run(
                case,
                "Read the bucket policy.",
                Effect::ReadOnly,
                "aws s3api get-bucket-policy --bucket {name} --expected-bucket-owner {account}",
            ),
            remedy::say(
                "Add a statement: Deny, Principal *, Action s3:*, the bucket's ARN and the ARN followed by /*, \
                 under the condition Bool aws:SecureTransport false.",
            ),
        ]
    }
}

/// The resource may be named by its ARN or by its bare name.
fn bucket_arn(case: &Case<'_>) -> String {
    let id = case.reference.id.as_str();
    if id.starts_with("arn:") {
        return id.to_owned();
    }
    let region = case
        .reference
        .region
        .as_ref()
        .map_or("", |region| region.as_str());
    let partition = match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    format!("arn:{partition}:s3:::{id}")
}
