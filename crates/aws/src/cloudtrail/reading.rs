//! One record from bytes to event: for the decoder of files, and for readers that get records one by one.

use std::sync::Arc;

use keyvigil_model::action::ActionSet;
use keyvigil_model::batch::{QuarantineReason, Quarantined};
use keyvigil_model::event::AuditEvent;
use keyvigil_model::id::AccountId;

use super::map::{Frame, Mapped, map};
use super::record::{NotAnEvent, OtherKind, Record};
use super::split::within_limits;
use super::strings::Strings;

/// Where a single record came from and what is looked for.
#[derive(Clone, Copy, Debug)]
pub struct RecordContext<'a> {
    /// For people: where the record was.
    pub origin: &'a str,
    /// The account whose log it must be, where that is known.
    pub account: Option<&'a AccountId>,
    /// What can matter; anything else gives no event.
    pub wanted: ActionSet,
}

/// What a record gave. Both at once: a record of an unknown version is evaluated and kept.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Reading {
    /// The event, if it can matter.
    pub event: Option<AuditEvent>,
    /// What was wrong with the record.
    pub quarantined: Option<Quarantined>,
}

/// Reads one JSON record.
///
/// # Errors
/// What could not be read. A record of an unknown version is returned as an event; [`read_record`] also tells of it.
pub fn map_record(raw: &[u8], context: &RecordContext<'_>) -> Result<Option<AuditEvent>, Quarantined> {
    let reading = read_record(raw, context);
    match (reading.event, reading.quarantined) {
        (None, Some(fault)) if fault.reason != QuarantineReason::UnknownVersion => Err(fault),
        (event, _) => Ok(event),
    }
}

/// Reads one JSON record and tells everything about it.
pub fn read_record(raw: &[u8], context: &RecordContext<'_>) -> Reading {
    let fault = |reason, detail: &str| Reading {
        event: None,
        quarantined: Some(quarantined(context.origin, reason, detail, raw)),
    };
    let span = match within_limits(raw) {
        Ok(span) => span,
        Err((reason, detail)) => return fault(reason, &detail),
    };
    let frame = Frame {
        account: context.account,
        wanted: context.wanted,
    };
    match read(span.bytes, &frame, &mut Strings::new()) {
        Found::NotJson(detail) => fault(QuarantineReason::NotJson, &detail),
        Found::Unreadable(reason, detail) => fault(reason, &detail),
        Found::HoldsRecords => fault(QuarantineReason::NotJson, "there are records inside the record"),
        Found::OtherKind(OtherKind::File | OtherKind::Record) => Reading::default(),
        Found::Record(mapped) => Reading {
            quarantined: mapped
                .unknown_version
                .map(|detail| quarantined(context.origin, QuarantineReason::UnknownVersion, &detail, raw)),
            event: mapped.event.map(|event| *event),
        },
    }
}

/// What the bytes of a record are.
pub(super) enum Found {
    /// Not JSON.
    NotJson(String),
    /// JSON that cannot be evaluated.
    Unreadable(QuarantineReason, String),
    /// Something that holds no event and is no fault.
    OtherKind(OtherKind),
    /// A record without an end that took the next ones for its own.
    HoldsRecords,
    /// A record.
    Record(Mapped),
}

/// Reads a record, or the record in a wrapper. The bytes are within the limits.
pub(super) fn read(bytes: &[u8], frame: &Frame<'_>, strings: &mut Strings) -> Found {
    match read_plain(bytes, frame, strings) {
        Err(inner) => match within_limits(inner.as_bytes()) {
            Err((reason, detail)) => Found::Unreadable(reason, detail),
            Ok(span) => match read_plain(span.bytes, frame, strings) {
                Ok(Found::NotJson(detail)) => Found::Unreadable(QuarantineReason::NotJson, detail),
                Ok(found) => found,
                Err(_) => {
                    let detail = "a wrapper within a wrapper".to_owned();
                    Found::Unreadable(QuarantineReason::MissingField, detail)
                }
            },
        },
        Ok(found) => found,
    }
}

/// `Err`: it is a wrapper; the text of the record in it.
fn read_plain(bytes: &[u8], frame: &Frame<'_>, strings: &mut Strings) -> Result<Found, String> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            return Ok(Found::NotJson(format!(
                "not UTF-8 from byte {} on",
                error.valid_up_to()
            )));
        }
    };
    Ok(match Record::parse(text) {
        Ok(record) => match map(&record, bytes, frame, strings) {
            Ok(mapped) => Found::Record(mapped),
            Err((reason, detail)) => Found::Unreadable(reason, detail),
        },
        Err(NotAnEvent::NotJson(detail)) => Found::NotJson(detail),
        Err(NotAnEvent::Unreadable(reason, detail)) => Found::Unreadable(reason, detail),
        Err(NotAnEvent::OtherKind(kind)) => Found::OtherKind(kind),
        Err(NotAnEvent::HoldsRecords) => Found::HoldsRecords,
        Err(NotAnEvent::Wrapped(inner)) => return Err(inner),
    })
}

/// An entry for the quarantine, with as many of the bytes as are kept.
pub(super) fn quarantined(origin: &str, reason: QuarantineReason, detail: &str, bytes: &[u8]) -> Quarantined {
    Quarantined {
        origin: Arc::from(origin),
        reason,
        detail: Arc::from(detail),
        bytes: Arc::from(bytes.get(..Quarantined::MAX_KEPT).unwrap_or(bytes)),
    }
}
