//! Which keys a record is about. `resources[].ARN` names them for certain; parameters may hold an alias or a bare id.

use std::borrow::Cow;

use keyvigil_model::action::Action;
use keyvigil_model::id::{AccountId, KeyId, Region};
use keyvigil_model::key::{KeyForm, KeyRef};
use keyvigil_model::untrusted::Untrusted;

use super::super::actions;
use super::super::json::Object;
use super::super::strings::Strings;
use super::{Call, as_str};

/// The keys of a record, the one that it is about first.
pub(super) fn keys(call: &Call<'_, '_>, service: &str, strings: &mut Strings) -> Vec<KeyRef> {
    let mut keys = Vec::new();
    let mut aliases = Vec::new();
    for resource in call.record.resources.iter().flatten() {
        let arn = as_str(resource.arn.as_ref());
        let Some(key) = of_arn(arn, strings) else {
            continue;
        };
        match key.form {
            KeyForm::Alias => aliases.push(key),
            KeyForm::Canonical | KeyForm::Bare | KeyForm::Unrecognised => keys.push(key),
        }
    }
    if service != actions::KMS {
        return keys;
    }
    if keys.is_empty() {
        keys = named(call)
            .iter()
            .map(|name| reference(name, call.account, call.region, strings))
            .collect();
    }
    if keys.is_empty() {
        keys = aliases;
    }
    if call.action != Action::KeyReEncrypt
        && let Some(first) = keys.first_mut()
        && first.alias.is_none()
        && let Some(name) = call.request.first_text(&["keyId", "aliasName"])
    {
        first.alias = alias_in(&name).map(|alias| Untrusted::new(strings.get(alias)));
    }
    keys
}

/// The keys that parameters, the answer, a service event or the error text name.
fn named<'a>(call: &Call<'a, '_>) -> Vec<Cow<'a, str>> {
    if call.action == Action::KeyReEncrypt {
        let sides = ["sourceKeyId", "destinationKeyId"].map(|name| call.request.text(name));
        return sides.into_iter().flatten().collect();
    }
    let metadata = call.response.object("keyMetadata");
    let replica = call.response.object("replicaKeyMetadata");
    let details = Object::of(call.record.service_event_details);
    let found = call
        .request
        .first_text(&["keyId", "targetKeyId"])
        .or_else(|| metadata.first_text(&["arn", "keyId"]))
        .or_else(|| call.response.text("keyId"))
        .or_else(|| replica.first_text(&["arn", "keyId"]))
        .or_else(|| details.text("keyId"))
        .or_else(|| in_error_message(call).map(|arn| Cow::Owned(arn.to_owned())))
        .or_else(|| call.request.text("aliasName"));
    found.into_iter().filter(|name| !name.is_empty()).collect()
}

/// A denied Decrypt names its key only here: `… is not authorized to perform: kms:Decrypt on resource: ARN …`.
fn in_error_message<'r>(call: &Call<'_, 'r>) -> Option<&'r str> {
    let message = call.record.error_message.as_ref()?.as_str();
    let (_, rest) = message.split_once("on resource: ")?;
    let arn = rest.split([' ', ',', '"', '\'']).next()?;
    let arn = arn.trim_end_matches('.');
    arn.contains(":kms:").then_some(arn)
}

/// A key as a caller named it. What is no ARN belongs to the account and region of the call.
pub(super) fn reference(name: &str, account: &AccountId, region: &Region, strings: &mut Strings) -> KeyRef {
    if let Some(key) = of_arn(name, strings) {
        return key;
    }
    let form = if name.starts_with("alias/") {
        KeyForm::Alias
    } else if is_bare_id(name) {
        KeyForm::Bare
    } else {
        KeyForm::Unrecognised
    };
    let local = form != KeyForm::Unrecognised;
    KeyRef {
        id: KeyId::new(strings.get(name)),
        form,
        account: local.then(|| account.clone()),
        region: local.then(|| region.clone()),
        alias: alias_in(name).map(|alias| Untrusted::new(strings.get(alias))),
    }
}

/// A key or alias ARN; `None` for any other text.
fn of_arn(text: &str, strings: &mut Strings) -> Option<KeyRef> {
    let mut parts = text.splitn(6, ':');
    let (arn, _partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, rest) = (parts.next()?, parts.next()?, parts.next()?);
    if arn != "arn" || service != "kms" {
        return None;
    }
    let form = if rest.starts_with("key/") {
        KeyForm::Canonical
    } else if rest.starts_with("alias/") {
        KeyForm::Alias
    } else {
        KeyForm::Unrecognised
    };
    Some(KeyRef {
        id: KeyId::new(strings.get(text)),
        form,
        account: (!account.is_empty()).then(|| AccountId::new(strings.get(account))),
        region: (!region.is_empty()).then(|| Region::new(strings.get(region))),
        alias: alias_in(text).map(|alias| Untrusted::new(strings.get(alias))),
    })
}

/// `alias/x` in an alias name or an alias ARN.
fn alias_in(name: &str) -> Option<&str> {
    if name.starts_with("alias/") {
        return Some(name);
    }
    let start = name.find(":alias/")?;
    name.get(start + 1..)
}

/// A UUID, or the id of a multi-Region key.
fn is_bare_id(name: &str) -> bool {
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    match name.strip_prefix("mrk-") {
        Some(rest) => rest.len() == 32 && hex(rest),
        None => name.len() == 36 && hex(name),
    }
}

/// Whether the name is an alias that belongs to AWS: `alias/aws/s3`, also within an ARN.
pub(super) fn is_aws_alias(name: &str) -> bool {
    alias_in(name).is_some_and(|alias| alias.starts_with("alias/aws/"))
}
