//! # A trail leaves out what is done with keys
//!
//! Requires: a trail that records management events does not exclude those of KMS
//! (`ExcludeManagementEventSources`, advanced selectors), and records reads as well as writes: `Decrypt` is a read.
//!
//! Does not apply to: trails that do not record, trails for data events only, and trails beside another one that
//! covers the account and leaves out nothing.
//!
//! UNKNOWN without: `cloudtrail:GetEventSelectors`, `cloudtrail:GetTrailStatus`.
//!
//! What to do: take `kms.amazonaws.com` out of the exclusion. It is a common way to save cost, and it blinds every
//! detection about the use of keys.

use keyvigil_model::facts::AuditScope;
use keyvigil_model::finding::{Advice, Effect};
use keyvigil_model::severity::Severity;
use keyvigil_model::snapshot::{AwsTrail, Config, Resource};
use keyvigil_model::verdict::{Read, UnknownReason};

use super::cloudtrail_enabled::{Fares, fares, trails_seen};
use super::remedy;
use crate::check::CheckMeta;
use crate::control::{Applies, Case, Control, ControlMeta, Opinion};

/// The control.
pub(super) struct KmsEventsIncluded;

static META: ControlMeta = ControlMeta {
    check: CheckMeta {
        id: "aws.cloudtrail.kms_events_included",
        title: "A trail leaves out what is done with keys",
        severity: Severity::Critical,
        references: &["SOC2 CC6.8", "SOC2 CC7.2"],
        source: include_str!("cloudtrail_kms_events.rs"),
    },
    requirement: "trails record the reads and writes of the key service.",
    permissions: &["cloudtrail:GetEventSelectors", "cloudtrail:GetTrailStatus"],
};

/// The service as event selectors name it.
const KEY_SERVICE: &str = "kms.amazonaws.com";

fn trail_in(resource: Option<&Resource>) -> Option<&AwsTrail> {
    match resource.map(|resource| &resource.config) {
        Some(Config::AwsTrail(trail)) => Some(trail),
        _ => None,
    }
}

fn leaves_out_keys(scope: &AuditScope) -> bool {
    scope.reads_or_writes_only
        || scope
            .excluded_services
            .iter()
            .any(|service| &**service == KEY_SERVICE)
}

impl Control for KmsEventsIncluded {
    fn meta(&self) -> &'static ControlMeta {
        &META
    }

    fn concerns(&self, resource: Option<&Resource>) -> bool {
        trail_in(resource).is_some()
    }

    fn applies(&self, case: &Case<'_>) -> Applies {
        match trail_in(case.resource()).map(|trail| &trail.status) {
            Some(Read::Known(status)) if !status.logging => Applies::No("the trail does not record"),
            Some(Read::Known(_)) => Applies::Yes,
            Some(Read::Unknown(reason)) => {
                Applies::Unknown(*reason, "the status of the trail could not be read")
            }
            None => Applies::Unknown(UnknownReason::NotYetRead, "the trail was not read yet"),
        }
    }

    fn judge(&self, case: &Case<'_>) -> Opinion {
        let scope = match trail_in(case.resource()).map(|trail| &trail.scope) {
            Some(Read::Known(scope)) => scope,
            Some(Read::Unknown(reason)) => {
                return Opinion::unknown(*reason, "the event selectors could not be read");
            }
            None => return Opinion::unknown(UnknownReason::NotYetRead, "the trail was not read yet"),
        };
        if scope.not_understood {
            return Opinion::unknown(
                UnknownReason::UnsupportedValue,
                "the event selectors could not be understood",
            );
        }
        if scope.management_off {
            let reason = "the trail records no management events";
            return Opinion::not_applicable(reason, reason);
        }
        if !leaves_out_keys(scope) {
            return Opinion::pass("the trail records the reads and writes of the key service");
        }
        if another_covers(case) {
            let reason = "another trail records what is done with keys";
            return Opinion::not_applicable(reason, reason);
        }
        if scope.reads_or_writes_only {
            return Opinion::fail("the trail records only reads or only writes");
        }
        Opinion::fail("the trail excludes the events of the key service")
    }

    fn advice(&self, case: &Case<'_>) -> Vec<Advice> {
        vec![
            remedy::run(
                case,
                "See the event selectors.",
                Effect::ReadOnly,
                "aws cloudtrail get-event-selectors --trail-name {id} --region {region}",
            ),
            remedy::say("Take kms.amazonaws.com out of the exclusion, and record reads as well as writes."),
        ]
    }
}

/// Whether another trail of the account covers it and leaves out nothing about keys.
fn another_covers(case: &Case<'_>) -> bool {
    trails_seen(case).iter().any(|(held, trail)| {
        let other = held.resource.reference.id != case.reference.id;
        let complete = matches!(&trail.scope, Read::Known(scope) if !leaves_out_keys(scope));
        other && complete && matches!(fares(held, trail), Fares::Well)
    })
}
