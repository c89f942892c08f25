//! Closed words, fixed labels and raw bytes as they are stored.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use keyvigil_model::time::Timestamp;
use keyvigil_model::untrusted::Untrusted;
use serde::{Deserialize, Serialize};

use crate::rows::Problem;

/// Reads a word of a closed list.
pub(crate) fn word<T>(what: &str, text: &str, parse: fn(&str) -> Option<T>) -> Result<T, Problem> {
    parse(text).ok_or_else(|| Problem(format!("unknown {what} {text:?}")))
}

/// Labels that the program does not hold itself (written by another version). More of them than this, or longer
/// ones, were not written by keyvigil.
const MAX_LABELS: usize = 4_096;
const MAX_LABEL_BYTES: usize = 256;

/// Gives a stored label the life that the model asks for.
///
/// The model's labels are constants of the program; a stored one is read once into memory that is kept, so that
/// memory is bounded by the number of different labels and not by the number of rows.
pub(crate) fn label(text: &str) -> Result<&'static str, Problem> {
    static LABELS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

    let mut labels = LABELS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = labels.get(text) {
        return Ok(known);
    }
    if text.len() > MAX_LABEL_BYTES {
        return Err(Problem(format!("a label of {} bytes", text.len())));
    }
    if labels.len() >= MAX_LABELS {
        return Err(Problem(format!("more than {MAX_LABELS} different labels")));
    }
    let kept: &'static str = text.to_owned().leak();
    labels.insert(kept);
    Ok(kept)
}

/// Untrusted text for the body; JSON escapes what it must.
pub(crate) fn text(untrusted: &Untrusted) -> String {
    untrusted.raw().to_owned()
}

/// Untrusted text from the body.
pub(crate) fn untrusted(text: String) -> Untrusted {
    Untrusted::new(text)
}

/// Optional time for the body: microseconds.
pub(crate) fn micros(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::as_micros)
}

/// Bytes: as text where they are text (audit records nearly always are), in hexadecimal otherwise.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BytesRow {
    Text(String),
    Hex(String),
}

impl BytesRow {
    pub(crate) fn from_model(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Hex(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        }
    }

    pub(crate) fn into_model(self) -> Result<Arc<[u8]>, Problem> {
        match self {
            Self::Text(text) => Ok(text.into_bytes().into()),
            Self::Hex(digits) => from_hex(&digits).map(Into::into),
        }
    }
}

fn from_hex(digits: &str) -> Result<Vec<u8>, Problem> {
    let bad = || Problem("bytes that are not hexadecimal".to_owned());
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(bad());
    }
    digits
        .as_bytes()
        .chunks_exact(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
            u8::from_str_radix(pair, 16).map_err(|_| bad())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trips(bytes: &[u8]) {
        let stored = BytesRow::from_model(bytes);
        assert_eq!(stored.into_model().as_deref(), Ok(bytes));
    }

    #[test]
    fn bytes_round_trip_whatever_they_are() {
        round_trips(b"");
        round_trips(b"{\"a\":1}");
        round_trips(b"nul \0 and \xff not UTF-8");
        round_trips("emoji \u{1f511}".as_bytes());
    }

    #[test]
    fn bad_bytes_are_a_problem() {
        for digits in ["0", "zz", "+1", "é"] {
            assert!(BytesRow::Hex(digits.to_owned()).into_model().is_err(), "{digits}");
        }
    }

    #[test]
    fn the_same_label_is_kept_once() {
        let (first, second) = (label("who").unwrap(), label("who").unwrap());
        assert!(std::ptr::eq(first, second));
        assert!(label(&"x".repeat(MAX_LABEL_BYTES + 1)).is_err());
    }
}
