//! One CloudTrail record as a borrowed, typed view. Every field is optional; only a record that cannot be identified is
//! refused. Fields: the CloudTrail user guide, "CloudTrail record contents".

use std::borrow::Cow;

use keyvigil_model::batch::QuarantineReason;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::json::{Object, Text};
use super::split::holds_records;

/// A record. The strict form, read in one pass; [`leniently`] fills it where a field has an unexpected type.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Record<'a> {
    #[serde(borrow)]
    pub(crate) event_version: Option<Text<'a>>,
    #[serde(rename = "eventID")]
    pub(crate) event_id: Option<Text<'a>>,
    pub(crate) event_time: Option<Text<'a>>,
    pub(crate) event_source: Option<Text<'a>>,
    pub(crate) event_name: Option<Text<'a>>,
    pub(crate) event_category: Option<Text<'a>>,
    pub(crate) aws_region: Option<Text<'a>>,
    pub(crate) recipient_account_id: Option<Text<'a>>,
    pub(crate) user_identity: Identity<'a>,
    #[serde(rename = "sourceIPAddress")]
    pub(crate) source_ip_address: Option<Text<'a>>,
    pub(crate) user_agent: Option<Text<'a>>,
    pub(crate) error_code: Option<Text<'a>>,
    pub(crate) error_message: Option<Text<'a>>,
    pub(crate) request_parameters: Option<&'a RawValue>,
    pub(crate) response_elements: Option<&'a RawValue>,
    pub(crate) additional_event_data: Option<&'a RawValue>,
    pub(crate) service_event_details: Option<&'a RawValue>,
    pub(crate) resources: Option<Vec<Resource<'a>>>,
    #[serde(rename = "sharedEventID")]
    pub(crate) shared_event_id: Option<Text<'a>>,
    pub(crate) vpc_endpoint_id: Option<Text<'a>>,
    pub(crate) session_credential_from_console: Option<Text<'a>>,
    pub(crate) addendum: Option<&'a RawValue>,
    pub(crate) tls_details: Option<TlsDetails<'a>>,
    /// Whether `errorCode` is there in a form that says neither success nor failure.
    #[serde(skip)]
    pub(crate) error_unclear: bool,
}

/// `userIdentity`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Identity<'a> {
    #[serde(borrow, rename = "type")]
    pub(crate) kind: Option<Text<'a>>,
    pub(crate) principal_id: Option<Text<'a>>,
    pub(crate) arn: Option<Text<'a>>,
    pub(crate) account_id: Option<Text<'a>>,
    pub(crate) access_key_id: Option<Text<'a>>,
    pub(crate) user_name: Option<Text<'a>>,
    pub(crate) invoked_by: Option<Text<'a>>,
    pub(crate) identity_provider: Option<Text<'a>>,
    pub(crate) credential_id: Option<Text<'a>>,
    pub(crate) session_context: Option<SessionContext<'a>>,
    pub(crate) on_behalf_of: Option<OnBehalfOf<'a>>,
}

/// `userIdentity.sessionContext`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SessionContext<'a> {
    #[serde(borrow)]
    pub(crate) session_issuer: Option<SessionIssuer<'a>>,
    pub(crate) attributes: Option<Attributes<'a>>,
    pub(crate) source_identity: Option<Text<'a>>,
}

/// `sessionContext.sessionIssuer`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SessionIssuer<'a> {
    #[serde(borrow)]
    pub(crate) arn: Option<Text<'a>>,
    pub(crate) account_id: Option<Text<'a>>,
}

/// `sessionContext.attributes`. The value is the string `"true"` or `"false"`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Attributes<'a> {
    #[serde(borrow)]
    pub(crate) mfa_authenticated: Option<Text<'a>>,
}

/// `userIdentity.onBehalfOf`: Identity Center.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct OnBehalfOf<'a> {
    #[serde(borrow)]
    pub(crate) user_id: Option<Text<'a>>,
    pub(crate) identity_store_arn: Option<Text<'a>>,
}

/// One of `resources`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Resource<'a> {
    #[serde(borrow, rename = "ARN", alias = "arn")]
    pub(crate) arn: Option<Text<'a>>,
    /// Never there, unless the record lost its end and took other records for resources.
    #[serde(rename = "eventVersion")]
    pub(crate) event_version: Option<IgnoredAny>,
}

/// `tlsDetails`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct TlsDetails<'a> {
    #[serde(borrow)]
    pub(crate) tls_version: Option<Text<'a>>,
}

/// Something that is not an event.
#[derive(Debug)]
pub(crate) enum NotAnEvent {
    /// Not JSON.
    NotJson(String),
    /// JSON that does not identify an event.
    Unreadable(QuarantineReason, String),
    /// A file or record of another known kind (digest, Insight, test message). Not a fault.
    OtherKind(OtherKind),
    /// A wrapper around one record: the record's text.
    Wrapped(String),
    /// A record without an end that took the next ones for its own.
    HoldsRecords,
}

/// Known things that hold no event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OtherKind {
    /// A record of its own, such as an Insight: it counts.
    Record,
    /// A file or message without records.
    File,
}

impl<'a> Record<'a> {
    /// Reads a record.
    pub(crate) fn parse(text: &'a str) -> Result<Self, NotAnEvent> {
        let record = match serde_json::from_str::<Self>(text) {
            Ok(record) => record,
            Err(_) => leniently(text)?,
        };
        for (field, value) in [
            ("eventID", &record.event_id),
            ("eventTime", &record.event_time),
            ("eventName", &record.event_name),
        ] {
            if value.as_ref().is_none_or(|text| text.as_str().is_empty()) {
                return Err(something_else(text, &record, field));
            }
        }
        if record
            .resources
            .iter()
            .flatten()
            .any(|resource| resource.event_version.is_some())
        {
            return Err(NotAnEvent::HoldsRecords);
        }
        Ok(record)
    }
}

/// What a record without an identifying field is.
fn something_else(text: &str, record: &Record<'_>, missing: &str) -> NotAnEvent {
    let object = Object::parse(text).unwrap_or_default();
    if object.has("insightDetails") || is(record.event_category.as_ref(), "Insight") {
        return NotAnEvent::OtherKind(OtherKind::Record);
    }
    let digest = object.has("digestS3Bucket") || (object.has("logFiles") && object.has("awsAccountId"));
    if digest || object.text("Event").as_deref() == Some("s3:TestEvent") {
        return NotAnEvent::OtherKind(OtherKind::File);
    }
    // LookupEvents has the record as a string, EventBridge as an object.
    if let Some(inner) = object.text("CloudTrailEvent") {
        return NotAnEvent::Wrapped(inner.into_owned());
    }
    if let (true, Some(inner)) = (object.has("detail-type"), object.get("detail")) {
        return NotAnEvent::Wrapped(inner.get().to_owned());
    }
    // AWS writes the ids after whatever a caller can choose, so this cannot be provoked by a caller.
    if holds_records(text.as_bytes()) {
        return NotAnEvent::HoldsRecords;
    }
    NotAnEvent::Unreadable(QuarantineReason::MissingField, format!("{missing} is missing"))
}

/// Whether a field has this value.
fn is(field: Option<&Text<'_>>, value: &str) -> bool {
    field.is_some_and(|text| text.as_str() == value)
}

/// Reads a record field by field, so that one field of an unexpected type costs no other. Of several values for one key,
/// the last counts.
fn leniently(text: &str) -> Result<Record<'_>, NotAnEvent> {
    let object = Object::parse(text).map_err(|error| NotAnEvent::NotJson(error.to_string()))?;
    let mut record = Record::default();
    for (key, value) in object.entries() {
        match key {
            "eventID" => record.event_id = identifying(key, value)?,
            "eventTime" => record.event_time = identifying(key, value)?,
            "eventName" => record.event_name = identifying(key, value)?,
            "eventSource" => record.event_source = identifying(key, value)?,
            "eventVersion" => record.event_version = scalar(value),
            "eventCategory" => record.event_category = field(value),
            "awsRegion" => record.aws_region = field(value),
            "recipientAccountId" => record.recipient_account_id = scalar(value),
            "userIdentity" => record.user_identity = identity(value),
            "sourceIPAddress" => record.source_ip_address = field(value),
            "userAgent" => record.user_agent = field(value),
            "errorCode" => {
                record.error_code = scalar(value);
                record.error_unclear = record.error_code.is_none() && value.get() != "null";
            }
            "errorMessage" => record.error_message = field(value),
            "requestParameters" => record.request_parameters = present(value),
            "responseElements" => record.response_elements = present(value),
            "additionalEventData" => record.additional_event_data = present(value),
            "serviceEventDetails" => record.service_event_details = present(value),
            "resources" => record.resources = resources(value),
            "sharedEventID" => record.shared_event_id = field(value),
            "vpcEndpointId" => record.vpc_endpoint_id = field(value),
            "sessionCredentialFromConsole" => record.session_credential_from_console = scalar(value),
            "addendum" => record.addendum = present(value),
            "tlsDetails" => record.tls_details = field(value),
            _ => {}
        }
    }
    Ok(record)
}

fn identifying<'a>(key: &str, value: &'a RawValue) -> Result<Option<Text<'a>>, NotAnEvent> {
    if value.get() == "null" {
        return Ok(None);
    }
    let wrong = || NotAnEvent::Unreadable(QuarantineReason::WrongType, format!("{key} is not a string"));
    field(value).map(Some).ok_or_else(wrong)
}

fn field<'a, T: Deserialize<'a>>(value: &'a RawValue) -> Option<T> {
    serde_json::from_str(value.get()).ok()
}

fn present(value: &RawValue) -> Option<&RawValue> {
    (value.get() != "null").then_some(value)
}

/// A string, or a number or truth value as it is written.
fn scalar(value: &RawValue) -> Option<Text<'_>> {
    match value.get().as_bytes().first() {
        Some(b'{' | b'[' | b'n') | None => None,
        Some(b'"') => field(value),
        Some(_) => Some(Text(Cow::Borrowed(value.get()))),
    }
}

fn identity(value: &RawValue) -> Identity<'_> {
    if let Some(identity) = field(value) {
        return identity;
    }
    let object = Object::of(Some(value));
    let text = |key| object.text(key).map(Text);
    let session = object.object("sessionContext");
    Identity {
        kind: text("type"),
        principal_id: text("principalId"),
        arn: text("arn"),
        account_id: object.get("accountId").and_then(scalar),
        access_key_id: text("accessKeyId"),
        user_name: text("userName"),
        invoked_by: text("invokedBy"),
        identity_provider: text("identityProvider"),
        credential_id: text("credentialId"),
        session_context: Some(SessionContext {
            session_issuer: session.get("sessionIssuer").and_then(field),
            attributes: Some(Attributes {
                mfa_authenticated: session
                    .object("attributes")
                    .get("mfaAuthenticated")
                    .and_then(scalar),
            }),
            source_identity: session.text("sourceIdentity").map(Text),
        }),
        on_behalf_of: object.get("onBehalfOf").and_then(field),
    }
}

fn resources(value: &RawValue) -> Option<Vec<Resource<'_>>> {
    let elements: Vec<&RawValue> = field(value)?;
    Some(elements.into_iter().filter_map(field).collect())
}

#[cfg(test)]
mod tests;
