//! What a real parser says about a value: for whatever bracket counting cannot be trusted with.

use keyvigil_model::batch::QuarantineReason;
use serde::de::IgnoredAny;

use super::scan::{Scan, Scanned};
use super::{MAX_DEPTH, MAX_RECORD, Span};

/// How much of a value a real parser could read.
pub(super) enum Exact {
    End(usize),
    Unfinished,
    Syntax(String),
}

/// Reads one value as JSON says, without limits on depth and without recursion.
pub(super) fn exact(bytes: &[u8]) -> Exact {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(IgnoredAny)) => Exact::End(values.byte_offset()),
        Some(Err(error)) if !error.is_eof() => Exact::Syntax(error.to_string()),
        Some(Err(_)) | None => Exact::Unfinished,
    }
}

/// Checks the size and the depth of something that should be one record.
pub(crate) fn within_limits(bytes: &[u8]) -> Result<Span<'_>, (QuarantineReason, String)> {
    if bytes.len() > MAX_RECORD {
        return Err((QuarantineReason::TooLarge, too_large()));
    }
    let bytes = bytes.trim_ascii();
    if !bytes.starts_with(b"{") {
        return Err(match exact(bytes) {
            Exact::End(_) => (
                QuarantineReason::NotAnObject,
                "a record must be a JSON object".to_owned(),
            ),
            Exact::Syntax(detail) => (QuarantineReason::NotJson, detail),
            Exact::Unfinished => (
                QuarantineReason::NotJson,
                "the data end inside a record".to_owned(),
            ),
        });
    }
    match Scan::value(bytes) {
        Scanned::End { deepest, .. } if deepest > MAX_DEPTH => {
            Err((QuarantineReason::TooDeep, too_deep(deepest)))
        }
        Scanned::End {
            backslash, sources, ..
        } => Ok(Span {
            bytes,
            backslash,
            sources: Some(sources),
        }),
        Scanned::Open => Err((
            QuarantineReason::NotJson,
            "the data end inside a record".to_owned(),
        )),
    }
}

pub(super) fn too_deep(deepest: u32) -> String {
    format!("nested {deepest} deep, the limit is {MAX_DEPTH}")
}

pub(super) fn too_large() -> String {
    format!("more than {MAX_RECORD} bytes")
}
