//! Whether an identity policy gives power over keys in general: decrypting with, or administering, every key.
//!
//! A permission that names single keys is not meant. Conditions that the identity can meet (second factor, network)
//! do not change what is given; conditions on the key (tags, aliases) bound it; others leave it open.

use std::collections::BTreeSet;

use super::actions::{self, Power};
use super::document::{Document, Effect, Statement};
use super::keys::{self, Binds};
use super::operator::Doubt;
use super::{KeyPowers, pattern};

/// A key that no policy names: a resource pattern that covers it covers keys in general.
const ANY_KEY: &str = "arn:aws:kms:any-region-1:999999999999:key/00000000-0000-0000-0000-000000000000";

/// Judges an identity policy.
pub(crate) fn powers(document: &Document) -> KeyPowers {
    let mut given: BTreeSet<&str> = BTreeSet::new();
    let mut statements: BTreeSet<String> = BTreeSet::new();
    let mut doubts: BTreeSet<String> = BTreeSet::new();
    for allow in &document.statements {
        if allow.effect != Effect::Allow || !covers_keys_in_general(allow) {
            continue;
        }
        let strong: Vec<&str> = actions::of_key_service()
            .filter(|name| actions::power(name) >= Power::Reads)
            .filter(|name| allow.actions.cover(&name.to_ascii_lowercase()))
            .filter(|name| !is_denied(document, name))
            .collect();
        if strong.is_empty() {
            continue;
        }
        match bound(allow) {
            Bound::ToSomeKeys => {}
            Bound::Open => {
                statements.insert(allow.label.clone());
                given.extend(strong);
            }
            Bound::Unclear(doubt) => {
                doubts.insert(doubt.to_string());
            }
        }
    }
    if !given.is_empty() {
        let actions: Vec<String> = given.into_iter().map(str::to_owned).collect();
        let power = actions
            .iter()
            .map(|action| actions::power(action))
            .max()
            .unwrap_or(Power::Reads);
        return KeyPowers::Given {
            actions,
            power,
            statements: statements.into_iter().collect(),
        };
    }
    if doubts.is_empty() {
        KeyPowers::NotGiven
    } else {
        KeyPowers::NotConcluded(doubts.into_iter().collect())
    }
}

fn covers_keys_in_general(statement: &Statement) -> bool {
    if statement.resources.except {
        return statement.resources.cover(ANY_KEY);
    }
    statement.resources.list.iter().any(|entry| {
        // Every key of one account, or of one region, is power over keys in general.
        entry == "*" || (pattern::wildcard("arn:*:kms:*:*:*", entry) && every_key(entry))
    })
}

fn every_key(entry: &str) -> bool {
    let resource = entry.splitn(6, ':').nth(5).unwrap_or_default();
    ["*", "key/*", "key*"].contains(&resource)
}

/// Whether the same document takes the action away from every key, whatever the circumstances.
fn is_denied(document: &Document, action: &str) -> bool {
    document.statements.iter().any(|statement| {
        statement.effect == Effect::Deny
            && statement.conditions.is_empty()
            && statement.actions.cover(&action.to_ascii_lowercase())
            && statement.resources.cover(ANY_KEY)
    })
}

enum Bound<'p> {
    Open,
    ToSomeKeys,
    Unclear(Doubt<'p>),
}

fn bound(statement: &Statement) -> Bound<'_> {
    let mut bound = Bound::Open;
    for condition in &statement.conditions {
        match keys::binds(&condition.key) {
            // Its value names keys, or the service that must carry the request.
            Binds::Resource if !about_place(&condition.key) => return Bound::ToSomeKeys,
            Binds::Unknown => bound = Bound::Unclear(Doubt::UnknownKey(&condition.key)),
            Binds::Resource
            | Binds::CallerAccount
            | Binds::CallerOrg
            | Binds::CallerOrgPaths
            | Binds::CallerArn
            | Binds::CallerUserId
            | Binds::CallerType
            | Binds::IsService
            | Binds::ServiceName
            | Binds::SourceAccount
            | Binds::SourceArn
            | Binds::SourceOrg
            | Binds::SourceOrgPaths
            | Binds::EndpointAccount
            | Binds::EndpointOrg
            | Binds::EndpointOrgPaths
            | Binds::Address
            | Binds::Network
            | Binds::EncryptionContext
            | Binds::Switch
            | Binds::Free => {}
        }
    }
    bound
}

/// Keys about where the resource is, rather than which it is: all keys of an account are keys in general.
fn about_place(key: &str) -> bool {
    [
        "aws:resourceaccount",
        "aws:resourceorgid",
        "aws:resourceorgpaths",
        "aws:requestedregion",
    ]
    .contains(&key)
}
