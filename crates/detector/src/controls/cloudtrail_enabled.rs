//! # An account has no complete audit log
//!
//! Requires: at least one trail covers the account: in every region, management events of both kinds (reads and
//! writes), global services included, recording now, last delivery less than 24 hours before it was read, and without
//! a delivery error. A trail of the organisation counts, wherever it was created.
//!
//! Judged on the account, also where it has no trail at all.
//!
//! UNKNOWN without: `cloudtrail:DescribeTrails`, `cloudtrail:GetTrailStatus`, `cloudtrail:GetEventSelectors`; and while
//! a listing was cut short: an absence proves nothing then.
//!
//! What to do: create or repair a multi-Region trail; look at the delivery error first. A key that waits to be
//! destroyed or a changed bucket policy stops the delivery.

use std::time::Duration;

use keyvigil_model::finding::{Advice, Effect};
use keyvigil_model::severity::Severity;
use keyvigil_model::snapshot::{AwsTrail, Config, Family, Resource};
use keyvigil_model::verdict::{Read, UnknownReason};

use super::remedy;
use crate::check::CheckMeta;
use crate::control::{Case, Control, ControlMeta, Opinion};
use crate::iam::plain;
use crate::inventory::Held;

/// The control.
pub(super) struct TrailEnabled;

static META: ControlMeta = ControlMeta {
    check: CheckMeta {
        id: "aws.cloudtrail.enabled",
        title: "An account has no complete audit log",
        severity: Severity::Critical,
        references: &["SOC2 CC6.8", "SOC2 CC7.2", "CIS AWS 4.1", "FSBP CloudTrail.1"],
        source: include_str!("cloudtrail_enabled.rs"),
    },
    requirement: "a trail records management events of every region, reads and writes, and delivers.",
    permissions: &[
        "cloudtrail:DescribeTrails",
        "cloudtrail:GetTrailStatus",
        "cloudtrail:GetEventSelectors",
    ],
};

/// A trail of an account in use delivers about every five minutes; keyvigil's own calls alone make events.
const FRESH: Duration = Duration::from_secs(24 * 3600);

/// How a trail fares.
pub(super) enum Fares {
    /// It covers the account.
    Well,
    /// It does not, and why.
    Badly(String),
    /// It cannot be told.
    Unknown(UnknownReason, &'static str),
}

impl Control for TrailEnabled {
    fn meta(&self) -> &'static ControlMeta {
        &META
    }

    fn concerns(&self, resource: Option<&Resource>) -> bool {
        resource.is_none()
    }

    fn judge(&self, case: &Case<'_>) -> Opinion {
        let mut faults: Vec<String> = Vec::new();
        let mut unclear: Option<(UnknownReason, String)> = None;
        for (held, trail) in trails_seen(case) {
            let name = plain(held.resource.name.raw());
            match fares(held, trail) {
                Fares::Well => return Opinion::pass(format!("trail {name} covers the account and delivers")),
                Fares::Badly(why) => faults.push(format!("trail {name} {why}")),
                Fares::Unknown(reason, what) => {
                    unclear.get_or_insert_with(|| (reason, format!("trail {name}: {what}")));
                }
            }
        }
        if let Some((reason, what)) = unclear {
            return Opinion::unknown(reason, what);
        }
        match listing(case) {
            Some(true) => {}
            Some(false) => {
                return Opinion::unknown(UnknownReason::NotVisible, "the listing of trails was cut short");
            }
            None => return Opinion::unknown(UnknownReason::NotYetRead, "the trails were not listed yet"),
        }
        if faults.is_empty() {
            return Opinion::fail("the account has no trail");
        }
        Opinion::fail(faults.join("; "))
    }

    fn advice(&self, _case: &Case<'_>) -> Vec<Advice> {
        vec![
            Advice {
                text: "See the trails and their home regions.".to_owned(),
                command: Some("aws cloudtrail describe-trails --include-shadow-trails".to_owned()),
                effect: Effect::ReadOnly,
            },
            remedy::say(
                "Start the trail, or widen it to all regions and to reads and writes of management events.",
            ),
            remedy::say(
                "If it does not deliver: look at the bucket policy and at the state of the trail's key.",
            ),
        ]
    }
}

/// The trails that the account sees, each as well as any account sees it.
pub(super) fn trails_seen<'a>(case: &Case<'a>) -> Vec<(&'a Held, &'a AwsTrail)> {
    let account = case.reference.account.as_ref();
    let mut trails = Vec::new();
    for held in case.inventory.of_family(Family::AuditLogs) {
        if Some(&held.seen_from) != account {
            continue;
        }
        let best = case.inventory.find(&held.resource.reference).unwrap_or(held);
        if let Config::AwsTrail(trail) = &best.resource.config {
            trails.push((best, &**trail));
        }
    }
    trails
}

/// Whether every listing of trails of the account came to its end; `None` if there is none.
fn listing(case: &Case<'_>) -> Option<bool> {
    let account = case.reference.account.as_ref()?;
    let mut complete = None;
    for listing in case.inventory.listings(account, Family::AuditLogs) {
        complete = Some(complete.unwrap_or(true) && listing.complete);
    }
    complete
}

/// Whether the trail covers its account.
pub(super) fn fares(held: &Held, trail: &AwsTrail) -> Fares {
    if !trail.multi_region {
        return Fares::Badly("covers one region only".to_owned());
    }
    if !trail.global_events {
        return Fares::Badly("leaves out global services".to_owned());
    }
    let status = match &trail.status {
        Read::Known(status) => status,
        Read::Unknown(reason) => return Fares::Unknown(*reason, "its status could not be read"),
    };
    if !status.logging {
        return Fares::Badly("does not record".to_owned());
    }
    if let Some(error) = status
        .delivery_error
        .as_ref()
        .filter(|error| !error.raw().trim().is_empty())
    {
        return Fares::Badly(format!("cannot deliver ({})", plain(error.raw())));
    }
    match status.last_delivery {
        None => return Fares::Badly("has not delivered anything yet".to_owned()),
        Some(last) if held.at.since(last) > FRESH => {
            return Fares::Badly(format!("delivered last at {last}"));
        }
        Some(_) => {}
    }
    match &trail.scope {
        Read::Unknown(reason) => Fares::Unknown(*reason, "its event selectors could not be read"),
        Read::Known(scope) if scope.not_understood => Fares::Unknown(
            UnknownReason::UnsupportedValue,
            "its event selectors could not be understood",
        ),
        Read::Known(scope) if scope.management_off => Fares::Badly("records no management events".to_owned()),
        Read::Known(scope) if scope.reads_or_writes_only => {
            Fares::Badly("records only reads or only writes".to_owned())
        }
        Read::Known(_) => Fares::Well,
    }
}
