//! A CloudTrail record as an [`AuditEvent`]. Facts: reference "detections", section 3.2.

mod audit_log;
mod database;
mod disk;
mod iam;
mod identity;
mod keys;
mod kms;
mod s3;
mod secret;

use std::sync::Arc;

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::batch::QuarantineReason;
use keyvigil_model::event::{AuditEvent, Network, Outcome, Via};
use keyvigil_model::facts::Facts;
use keyvigil_model::id::{AccountId, DedupeKey, EventId, Region};
use keyvigil_model::policy_text::{PolicyLanguage, PolicyText};
use keyvigil_model::principal::PrincipalKind;
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::ResourceRef;
use keyvigil_model::time::Timestamp;
use keyvigil_model::untrusted::Untrusted;
use serde_json::value::RawValue;

use super::actions;
use super::json::{Object, Text, text_of};
use super::record::Record;
use super::strings::Strings;
use crate::pollers::place::Place;

/// What is looked for, and in whose log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    /// The account whose log it must be, where the place says so.
    pub(crate) account: Option<&'a AccountId>,
    /// What can matter.
    pub(crate) wanted: ActionSet,
}

/// A record that could be read.
#[derive(Debug)]
pub(crate) struct Mapped {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) time: Timestamp,
    /// Whether it is of the key service.
    pub(crate) key_service: bool,
    /// The event, if it can matter.
    pub(crate) event: Option<Box<AuditEvent>>,
    /// A version of the format that is not known.
    pub(crate) unknown_version: Option<String>,
}

/// What the mapping of one service finds out.
struct Details {
    action: Action,
    facts: Facts,
    resource: Option<ResourceRef>,
}

impl Details {
    fn plain(action: Action) -> Self {
        Self {
            action,
            facts: Facts::None,
            resource: None,
        }
    }
}

/// A record with what the mapping of every service needs.
struct Call<'a, 'r> {
    record: &'r Record<'a>,
    operation: &'r str,
    request: Object<'a>,
    response: Object<'a>,
    account: &'r AccountId,
    region: &'r Region,
    action: Action,
    time: Timestamp,
}

impl Call<'_, '_> {
    fn place(&self) -> Place {
        Place::new(self.account.clone(), self.region.clone())
    }

    /// Whether CloudTrail left the parameters out because they were too large.
    fn omitted(&self) -> bool {
        self.request.flag("omitted") == Some(true)
    }
}

/// Maps a record. `Err`: it is not a record of this log, or its time cannot be read.
pub(crate) fn map(
    record: &Record<'_>,
    raw: &[u8],
    frame: &Frame<'_>,
    strings: &mut Strings,
) -> Result<Mapped, (QuarantineReason, String)> {
    let written = as_str(record.event_time.as_ref());
    let Ok(time) = Timestamp::parse_rfc3339(written) else {
        let detail = "eventTime is not a date-time such as 2026-01-31T12:00:00Z".to_owned();
        return Err((QuarantineReason::WrongType, detail));
    };
    let owner = record
        .recipient_account_id
        .as_ref()
        .or(record.user_identity.account_id.as_ref());
    let account = AccountId::new(strings.get(owner.map_or("unknown", Text::as_str)));
    if let Some(expected) = frame.account
        && *expected != account
    {
        let detail = format!("a record of another account in the log of account {expected}");
        return Err((QuarantineReason::NotAllowed, detail));
    }
    let region = Region::new(strings.get(record.aws_region.as_ref().map_or("unknown", Text::as_str)));
    let service = as_str(record.event_source.as_ref());
    let mut mapped = Mapped {
        account,
        region,
        time,
        key_service: service == actions::KMS,
        event: None,
        unknown_version: unknown_version(record),
    };
    let operation = as_str(record.event_name.as_ref());
    let action = actions::action_of(service, operation);
    let other = actions::alternative(operation).is_some_and(|other| frame.wanted.contains(other));
    // An S3 write may turn out to be nothing, which somebody may want to see too.
    let may_be_nothing = action == Action::ObjectWriteCustomerKey && frame.wanted.contains(Action::Other);
    if !frame.wanted.contains(action) && !other && !may_be_nothing {
        return Ok(mapped);
    }
    let call = Call {
        record,
        operation,
        request: Object::of(record.request_parameters),
        response: Object::of(record.response_elements),
        account: &mapped.account,
        region: &mapped.region,
        action,
        time,
    };
    let details = details(&call, service, strings);
    if frame.wanted.contains(details.action) {
        mapped.event = Some(Box::new(event(&call, service, details, raw, strings)));
    }
    Ok(mapped)
}

fn details(call: &Call<'_, '_>, service: &str, strings: &mut Strings) -> Details {
    match service {
        actions::KMS => kms::details(call),
        actions::SECRETS_MANAGER => secret::secrets_manager(call),
        actions::SSM => secret::parameter_store(call),
        actions::S3 => s3::details(call, strings),
        actions::EC2 => disk::details(call, strings),
        actions::RDS => database::details(call, strings),
        actions::CLOUDTRAIL => audit_log::details(call),
        actions::IAM => iam::details(call),
        _ => Details::plain(call.action),
    }
}

fn event(
    call: &Call<'_, '_>,
    service: &str,
    details: Details,
    raw: &[u8],
    strings: &mut Strings,
) -> AuditEvent {
    let record = call.record;
    let id = as_str(record.event_id.as_ref());
    let principal = identity::principal(record, strings);
    let untrusted = |strings: &mut Strings, text: Option<&Text<'_>>| {
        text.map(|text| Untrusted::new(strings.get(text.as_str())))
    };
    let invoked_by = match principal.kind {
        PrincipalKind::CloudService => None,
        PrincipalKind::Human | PrincipalKind::Workload | PrincipalKind::Root | PrincipalKind::Unknown => {
            untrusted(strings, record.user_identity.invoked_by.as_ref())
        }
    };
    let console = as_str(record.session_credential_from_console.as_ref()) == "true";
    let addendum = Object::of(record.addendum);
    AuditEvent {
        id: EventId::from(id),
        dedupe: DedupeKey::of(&[call.account.as_str().as_bytes(), id.as_bytes()]),
        time: call.time,
        provider: Provider::Aws,
        account: call.account.clone(),
        region: call.region.clone(),
        service: strings.get(service),
        operation: strings.get(call.operation),
        action: details.action,
        outcome: outcome(record),
        error_code: untrusted(strings, record.error_code.as_ref()),
        via: Via {
            service: invoked_by,
            endpoint: untrusted(strings, record.vpc_endpoint_id.as_ref()),
            console,
        },
        network: Network {
            source: untrusted(strings, record.source_ip_address.as_ref()),
            user_agent: untrusted(strings, record.user_agent.as_ref()),
            tls_version: untrusted(
                strings,
                record
                    .tls_details
                    .as_ref()
                    .and_then(|tls| tls.tls_version.as_ref()),
            ),
        },
        principal,
        keys: keys::keys(call, service, strings),
        resource: details.resource,
        encryption_context: encryption_context(&call.request, strings),
        facts: details.facts,
        shared_id: record
            .shared_event_id
            .as_ref()
            .map(|text| Untrusted::from(text.as_str())),
        amends: addendum.text("originalEventID").map(|text| EventId::from(&*text)),
        truncated: call.omitted() || call.response.flag("omitted") == Some(true),
        raw: Arc::from(raw),
    }
}

/// A major version other than 1. Version 1 only ever gained fields.
fn unknown_version(record: &Record<'_>) -> Option<String> {
    let version = record.event_version.as_ref()?.as_str();
    let major = version.split('.').next().unwrap_or_default();
    (major != "1").then(|| "the eventVersion is not 1.x; the record was read as if it were".to_owned())
}

/// How the call ended. An absent error code means success; see reference "detections", section 3.2.
fn outcome(record: &Record<'_>) -> Outcome {
    if record.error_unclear {
        return Outcome::Unknown;
    }
    match as_str(record.error_code.as_ref()) {
        "" if record
            .error_message
            .as_ref()
            .is_none_or(|text| text.as_str().is_empty()) =>
        {
            Outcome::Success
        }
        // A failed console sign-in has a message without a code.
        "" => Outcome::Failed,
        // Amazon Managed Grafana writes the HTTP status.
        "200" => Outcome::Success,
        code if denies(code) => Outcome::Denied,
        _ => Outcome::Failed,
    }
}

fn denies(code: &str) -> bool {
    code.contains("AccessDenied")
        || code.ends_with("UnauthorizedOperation")
        || matches!(
            code,
            "Forbidden" | "NotAuthorized" | "UnauthorizedException" | "AuthorizationError"
        )
}

/// The names and values of the context; ReEncrypt has one for each side.
fn encryption_context(request: &Object<'_>, strings: &mut Strings) -> Vec<(Untrusted, Untrusted)> {
    let mut pairs = Vec::new();
    for name in [
        "encryptionContext",
        "sourceEncryptionContext",
        "destinationEncryptionContext",
    ] {
        let context = request.object(name);
        for (key, value) in context.entries() {
            let value = text_of(value).unwrap_or_else(|| value.get().into());
            pairs.push((
                Untrusted::new(strings.get(key)),
                Untrusted::new(strings.get(&value)),
            ));
        }
    }
    pairs
}

fn as_str<'t>(text: Option<&'t Text<'_>>) -> &'t str {
    text.map_or("", Text::as_str)
}

/// A policy given as a string or as an object.
fn policy(value: Option<&RawValue>, language: PolicyLanguage) -> Option<PolicyText> {
    let value = value?;
    let document = match text_of(value) {
        Some(text) if text.is_empty() => return None,
        Some(text) => Arc::from(&*text),
        None => Arc::from(value.get()),
    };
    Some(PolicyText { language, document })
}

fn untrusted(text: impl AsRef<str>) -> Untrusted {
    Untrusted::from(text.as_ref())
}
