//! Where a record plainly begins, and what an object is by its keys: for logs that are broken or arranged unusually.

use memchr::memmem;

use super::scan::{Scan, Scanned};

/// A beginning is recognised within this many bytes.
pub(super) const MARKER: usize = 64;

/// The keys of the lists that hold records: S3 delivery, LookupEvents.
const LISTS: [&[u8]; 2] = [b"Records", b"Events"];

/// Keys that only a digest file has: CloudTrail's log-file validation.
const DIGEST_KEYS: [&[u8]; 3] = [b"digestStartTime", b"digestS3Bucket", b"logFiles"];

/// After so many faults without one good record between them, the search leaps instead of trying every byte, and gives
/// up testing doubtful beginnings: a hostile file must not cost quadratic time.
const PATIENCE: u32 = 256;

/// The leap: as much as quarantine keeps of a broken record, so that nothing is lost by it.
const LEAP: usize = 64 * 1024;

/// Looks for the next record after something broken.
#[derive(Default)]
pub(super) struct Resync {
    faults: u32,
    probes: u32,
}

impl Resync {
    pub(super) fn found_a_record(&mut self) {
        self.faults = 0;
    }

    /// Counts a fault; how far after its beginning the next record may begin.
    pub(super) fn stride(&mut self) -> usize {
        self.faults = self.faults.saturating_add(1);
        if self.faults > PATIENCE { LEAP } else { 1 }
    }

    /// The first offset from `from` on at which a record or a wrapper begins.
    pub(super) fn next_start(&mut self, window: &[u8], from: usize, by_lines: bool) -> Option<usize> {
        let rest = window.get(from..)?;
        for offset in memchr::memchr_iter(b'{', rest) {
            let at = from + offset;
            let before = window.get(..at).unwrap_or_default();
            if by_lines && before.ends_with(b"\n") {
                return Some(at);
            }
            // A nested object comes after a colon; a record comes after a comma, a bracket or nothing.
            let previous = before
                .iter()
                .rev()
                .take(MARKER)
                .find(|byte| !byte.is_ascii_whitespace());
            if previous == Some(&b':') {
                continue;
            }
            let candidate = window.get(at..).unwrap_or_default();
            if let FirstKey::Is { key, value } = first_key(candidate)
                && self.begins(candidate, key, value)
            {
                return Some(at);
            }
        }
        None
    }

    fn begins(&mut self, candidate: &[u8], key: &[u8], value: usize) -> bool {
        match key {
            // The first key of every record that CloudTrail writes.
            b"eventVersion" => true,
            b"userIdentity" | b"eventTime" | b"eventID" | b"eventName" | b"eventSource" | b"awsRegion"
            | b"EventId" => self.looks_like_a_record(candidate),
            _ => list_of_records(candidate, key, value).is_some(),
        }
    }

    fn looks_like_a_record(&mut self, candidate: &[u8]) -> bool {
        self.probes = self.probes.saturating_add(1);
        if self.probes > 4 * PATIENCE {
            return false;
        }
        let limited = candidate.get(..super::MAX_RECORD).unwrap_or(candidate);
        let Scanned::End { length, .. } = Scan::value(limited) else {
            return false;
        };
        let span = limited.get(..length).unwrap_or_default();
        let has = |key: &[u8]| memmem::find(span, key).is_some();
        (has(b"\"eventID\"") && has(b"\"eventName\"")) || has(b"\"CloudTrailEvent\"")
    }
}

/// The first key of an object.
pub(super) enum FirstKey<'a> {
    Is {
        key: &'a [u8],
        /// Where its value begins.
        value: usize,
    },
    /// The bytes end too early to tell.
    Unclear,
    /// No key that means anything here.
    None,
}

/// Reads `{ "key" :`.
pub(super) fn first_key(object: &[u8]) -> FirstKey<'_> {
    let quote = skip_space(object, 1);
    match object.get(quote) {
        Some(b'"') => {}
        Some(_) => return FirstKey::None,
        None => return FirstKey::Unclear,
    }
    let text = object.get(quote + 1..).unwrap_or_default();
    let Some(length) = memchr::memchr(b'"', text) else {
        return if text.len() < MARKER {
            FirstKey::Unclear
        } else {
            FirstKey::None
        };
    };
    let colon = skip_space(object, quote + length + 2);
    match object.get(colon) {
        Some(b':') => {}
        Some(_) => return FirstKey::None,
        None => return FirstKey::Unclear,
    }
    let value = skip_space(object, colon + 1);
    if value == object.len() {
        return FirstKey::Unclear;
    }
    FirstKey::Is {
        key: text.get(..length).unwrap_or_default(),
        value,
    }
}

/// Where the first element of a list of records may begin, if `key` names one.
pub(super) fn list_of_records(object: &[u8], key: &[u8], value: usize) -> Option<usize> {
    (LISTS.contains(&key) && object.get(value) == Some(&b'[')).then_some(value + 1)
}

/// Whether records begin inside a record, as elements of a list.
pub(crate) fn holds_records(record: &[u8]) -> bool {
    for at in memmem::find_iter(record, b"{\"eventVersion\"") {
        let before = record.get(..at).unwrap_or_default().trim_ascii_end();
        if before.ends_with(b",") || before.ends_with(b"[") {
            return true;
        }
    }
    false
}

/// Whether the bytes begin a wrapper around records.
pub(super) fn begins_a_wrapper(object: &[u8]) -> bool {
    match first_key(object) {
        FirstKey::Is { key, value } => list_of_records(object, key, value).is_some(),
        FirstKey::Unclear | FirstKey::None => false,
    }
}

/// Whether a list of records may be in the object. Cheap, and true too often.
pub(super) fn may_hold_a_list(object: &[u8]) -> bool {
    memmem::find(object, b"\"Records\"").is_some() || memmem::find(object, b"\"Events\"").is_some()
}

/// What an object is by its keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Walk {
    /// A wrapper; the offset of its first record.
    List(usize),
    /// A digest file.
    Digest,
    /// Neither, as far as it could be read.
    Neither,
}

/// Reads the keys of an object one after another, up to a list of records.
pub(super) fn walk(object: &[u8]) -> Walk {
    let mut at = 1;
    let mut digest = Walk::Neither;
    loop {
        while let Some(b' ' | b'\t' | b'\r' | b'\n' | b',') = object.get(at) {
            at += 1;
        }
        let Some(end) = string_end(object, at) else {
            return digest;
        };
        let key = object.get(at + 1..end - 1).unwrap_or_default();
        let colon = skip_space(object, end);
        if object.get(colon) != Some(&b':') {
            return digest;
        }
        let value = skip_space(object, colon + 1);
        if let Some(inside) = list_of_records(object, key, value) {
            return Walk::List(inside);
        }
        if DIGEST_KEYS.contains(&key) {
            digest = Walk::Digest;
        }
        let Some(next) = value_end(object, value) else {
            return digest;
        };
        at = next;
    }
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// The offset after the string that begins at `at`.
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let mut index = at + 1;
    loop {
        index += memchr::memchr2(b'"', b'\\', bytes.get(index..)?)?;
        if bytes.get(index) == Some(&b'"') {
            return Some(index + 1);
        }
        index += 2;
    }
}

fn value_end(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'"' => string_end(bytes, at),
        b'{' | b'[' => match Scan::value(bytes.get(at..)?) {
            Scanned::End { length, .. } => Some(at + length),
            Scanned::Open => None,
        },
        _ => memchr::memchr2(b',', b'}', bytes.get(at..)?).map(|length| at + length),
    }
}
