//! Whether a bucket policy refuses requests that are not encrypted in transit.
//!
//! The question is asked the other way round: is there anybody, any action and any object for which a plain HTTP
//! request is not refused? A plain HTTP request has `aws:SecureTransport` = `false`. For `s3:TlsVersion` it counts as
//! older than every version: AWS documents that a Deny under `NumericLessThan s3:TlsVersion 1.2` also enforces HTTPS
//! (AWS knowledge center, "enforce TLS 1.2 or later for S3 buckets"; CIS AWS 7.0, 3.1.1, accepts either form).
//! Services of AWS that call for themselves are not tried: they always use TLS, and data perimeters exempt them.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::actor::{self, Actor};
use super::document::{Document, Effect, Statement};
use super::operator::{Doubt, Has, Truth};
use super::request::{self, Budget};
use super::{Outsider, Reach, TlsEnforcement, pattern};

/// Actions tried: what people list by hand, and one that only `s3:*` covers.
const PROBES: [(&str, &str); 6] = [
    ("s3:getobject", "s3:GetObject"),
    ("s3:putobject", "s3:PutObject"),
    ("s3:deleteobject", "s3:DeleteObject"),
    ("s3:listbucket", "s3:ListBucket"),
    ("s3:getbucketpolicy", "s3:GetBucketPolicy"),
    ("s3:anyotheraction", "all s3 actions"),
];

/// Judges the policy of the bucket with that ARN.
pub(crate) fn enforcement(document: &Document, bucket: &str) -> TlsEnforcement {
    let denies: Vec<&Statement> = document
        .statements
        .iter()
        .filter(|statement| statement.effect == Effect::Deny)
        .collect();
    let actors = actors(document);
    let mut open = Open::default();
    let mut tried: usize = 0;
    let mut budget = Budget::default();
    for (place, resource) in resources(document, bucket) {
        for (action, shown) in actions(document) {
            for actor in &actors {
                tried += 1;
                match escapes(&denies, actor, (&action, &resource), &mut budget) {
                    Escape::No => {}
                    Escape::Yes { always } => {
                        open.count += 1;
                        open.always += usize::from(always);
                        open.places.insert(place.clone());
                        open.actions.insert(shown.clone());
                        open.callers.insert(actor.outsider.to_string());
                    }
                    Escape::Unclear(doubt) => {
                        open.doubts.insert(doubt.to_string());
                    }
                }
            }
        }
    }
    if open.count == 0 {
        if open.doubts.is_empty() {
            return TlsEnforcement::Enforced;
        }
        return TlsEnforcement::NotConcluded(open.doubts.into_iter().collect());
    }
    if open.always == tried {
        return TlsEnforcement::NotEnforced;
    }
    TlsEnforcement::Partial(format!(
        "not refused{}: {} on {} by {}",
        if open.always == 0 {
            " in some circumstances"
        } else {
            ""
        },
        sentence(&open.actions),
        sentence(&open.places),
        sentence(&open.callers)
    ))
}

#[derive(Default)]
struct Open {
    count: usize,
    always: usize,
    places: BTreeSet<String>,
    actions: BTreeSet<String>,
    callers: BTreeSet<String>,
    doubts: BTreeSet<String>,
}

fn sentence(parts: &BTreeSet<String>) -> String {
    let shown: Vec<&str> = parts.iter().take(4).map(String::as_str).collect();
    let more = parts.len().saturating_sub(shown.len());
    let mut text = shown.join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

enum Escape<'p> {
    /// Not refused in some circumstances, or in all of them.
    Yes {
        always: bool,
    },
    No,
    Unclear(Doubt<'p>),
}

/// Whether the actor can send the action over plain HTTP without being refused.
fn escapes<'p>(
    denies: &[&'p Statement],
    actor: &Actor,
    (action, resource): (&str, &str),
    budget: &mut Budget,
) -> Escape<'p> {
    let reach = Reach::WithinNetwork;

    let concerned: Vec<&Statement> = denies
        .iter()
        .copied()
        .filter(|deny| {
            deny.actions.cover(action)
                && deny.resources.cover(resource)
                && actor.is_meant(&deny.who) != Truth::No
        })
        .collect();
    let plain_http = [
        ("aws:securetransport", Has::one("false")),
        ("s3:tlsversion", Has::one("0")),
    ];
    let (mut open, mut refused, mut unclear) = (false, false, None);
    let tried = request::each(&concerned, actor, reach, &plain_http, budget, |request, _| {
        let mut denied = Truth::No;
        for deny in &concerned {
            let here = actor
                .is_meant(&deny.who)
                .and(request::conditions_hold(deny, request));
            denied = denied.or(here);
        }
        match denied {
            Truth::Yes => refused = true,
            Truth::Unclear(doubt) => unclear = Some(doubt),
            Truth::No => open = true,
        }
        ControlFlow::Continue(())
    });
    if open {
        return Escape::Yes {
            always: !refused && unclear.is_none(),
        };
    }
    match (unclear, tried) {
        (Some(doubt), _) | (None, Err(doubt)) => Escape::Unclear(doubt),
        (None, Ok(())) => Escape::No,
    }
}

/// Everybody, and everyone whom the policy names: it may exempt them.
fn actors(document: &Document) -> Vec<Actor> {
    let mut actors = actor::everybody(document);
    actors.extend(actor::named(document));
    actors.retain(|actor| {
        !matches!(
            actor.outsider,
            Outsider::AnyService | Outsider::Service(_) | Outsider::ServiceFor(_)
        )
    });
    actors
}

/// The bucket, any object, and the objects that a statement exempts.
fn resources(document: &Document, bucket: &str) -> Vec<(String, String)> {
    let mut resources = vec![
        ("the bucket".to_owned(), bucket.to_owned()),
        ("objects".to_owned(), format!("{bucket}/any-object")),
    ];
    for statement in &document.statements {
        if statement.effect == Effect::Deny && statement.resources.except {
            for entry in statement
                .resources
                .list
                .iter()
                .filter(|entry| entry.starts_with(bucket))
            {
                resources.push(("exempted objects".to_owned(), pattern::instance(entry, "any")));
            }
        }
    }
    resources
}

/// The probes, and the actions that a statement exempts.
fn actions(document: &Document) -> Vec<(String, String)> {
    let mut actions: Vec<(String, String)> = PROBES
        .iter()
        .map(|(lower, shown)| ((*lower).to_owned(), (*shown).to_owned()))
        .collect();
    for statement in &document.statements {
        if statement.effect == Effect::Deny && statement.actions.except {
            for entry in statement
                .actions
                .list
                .iter()
                .filter(|entry| entry.starts_with("s3:"))
            {
                actions.push((pattern::instance(entry, "any"), "exempted actions".to_owned()));
            }
        }
    }
    actions
}
