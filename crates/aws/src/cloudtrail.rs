//! CloudTrail's log files and records, turned into audit events.
//!
//! Unpack ([`gunzip`]), split into records without parsing ([`split`]), leave out by bytes what cannot matter
//! ([`prefilter`]), parse the rest as borrowed text ([`record`]), map it ([`map`]). What cannot be read is handed over as
//! quarantined, once, and costs its neighbours nothing. Order and limits: reference "engines", section 10, and
//! "reliability", section 4.7.

mod actions;
mod gunzip;
mod json;
mod map;
mod prefilter;
mod reading;
mod record;
mod split;
mod strings;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::BTreeMap;

use keyvigil_connector::object_log::{DecodeSummary, Decoded, Decoder, EncodedObject};
use keyvigil_model::batch::{Coverage, QuarantineReason, Quarantined};
use keyvigil_model::id::{AccountId, Region};
use keyvigil_model::time::Timestamp;
use sha2::{Digest, Sha256};

pub use self::gunzip::Limits;
pub use self::reading::{Reading, RecordContext, map_record, read_record};

use self::gunzip::{Consumer, Fault, Unpacker};
use self::map::{Frame, Mapped};
use self::prefilter::Prefilter;
use self::reading::{Found, quarantined, read};
use self::record::OtherKind;
use self::split::{Broken, Judged, Piece, Span, Splitter, Tail};
use self::strings::Strings;

/// Decodes the log files that CloudTrail delivers: `.json.gz` and plain, and the forms that people keep them in.
#[derive(Clone, Copy, Debug)]
pub struct CloudTrailDecoder {
    hashing: Hashing,
    limits: Limits,
}

/// Whether the uncompressed bytes are hashed. Digest files list these hashes; computing them costs as much as unpacking.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hashing {
    /// [`DecodeSummary::sha256`] stays zero.
    Off,
    /// SHA-256.
    Sha256,
}

/// A piece holds at most this many events.
const EVENTS_IN_A_PIECE: usize = 500;

/// A piece holds at most about this many bytes that could not be read.
const UNREADABLE_BYTES_IN_A_PIECE: usize = 4 * 1024 * 1024;

impl CloudTrailDecoder {
    /// A decoder with the default limits.
    pub fn new(hashing: Hashing) -> Self {
        Self::with_limits(hashing, Limits::default())
    }

    /// A decoder with other limits.
    pub fn with_limits(hashing: Hashing, limits: Limits) -> Self {
        Self { hashing, limits }
    }
}

/// What a thread keeps from one object to the next.
struct Kept {
    unpacker: Unpacker,
    strings: Strings,
    prefilter: Prefilter,
}

thread_local! {
    static KEPT: Cell<Option<Box<Kept>>> = const { Cell::new(None) };
}

impl Decoder for CloudTrailDecoder {
    fn decode(&self, object: &EncodedObject<'_>, sink: &mut dyn FnMut(Decoded)) -> DecodeSummary {
        // Taken, not borrowed: the sink may decode another object.
        let mut kept = match KEPT.take() {
            Some(kept) if kept.prefilter.wanted() == object.wanted => kept,
            Some(mut kept) => {
                kept.prefilter = Prefilter::new(object.wanted);
                kept
            }
            None => Box::new(Kept {
                unpacker: Unpacker::new(),
                strings: Strings::new(),
                prefilter: Prefilter::new(object.wanted),
            }),
        };
        let mut run = Run {
            splitter: Splitter::new(),
            hasher: match self.hashing {
                Hashing::Off => None,
                Hashing::Sha256 => Some(Sha256::new()),
            },
            bytes: 0,
            records: Records {
                origin: object.origin,
                frame: Frame {
                    account: object.account,
                    wanted: object.wanted,
                },
                prefilter: &kept.prefilter,
                strings: &mut kept.strings,
                sink,
                piece: Decoded::default(),
                unreadable_bytes: 0,
                count: 0,
                tally: Tally::default(),
            },
        };
        let unpacked = kept.unpacker.unpack(object.bytes, &self.limits, &mut run);
        let summary = run.finish(unpacked, object.bytes);
        KEPT.set(Some(kept));
        summary
    }
}

/// One object being decoded.
struct Run<'a> {
    splitter: Splitter,
    hasher: Option<Sha256>,
    bytes: u64,
    records: Records<'a>,
}

impl Consumer for Run<'_> {
    fn fresh(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
    }

    fn window(&mut self, window: &[u8], tail: Tail) -> usize {
        let records = &mut self.records;
        self.splitter.feed(window, tail, &mut |piece| records.take(piece))
    }
}

impl Run<'_> {
    fn finish(mut self, unpacked: Result<(), Fault>, object: &[u8]) -> DecodeSummary {
        match unpacked {
            Err(fault) => self
                .records
                .quarantine(self.records.origin, fault.reason, &fault.detail, object),
            Ok(()) if !self.splitter.seen_anything() => {
                self.records.quarantine(
                    self.records.origin,
                    QuarantineReason::NotJson,
                    "the object is empty",
                    &[],
                );
            }
            Ok(()) => {}
        }
        self.records.flush();
        DecodeSummary {
            records: self.records.count,
            bytes: self.bytes,
            sha256: self.hasher.map_or([0; 32], |hasher| hasher.finalize().into()),
            coverage: self.records.tally.coverage(self.records.count),
        }
    }
}

/// The records of one object, as they come.
struct Records<'a> {
    origin: &'a str,
    frame: Frame<'a>,
    prefilter: &'a Prefilter,
    strings: &'a mut Strings,
    sink: &'a mut dyn FnMut(Decoded),
    piece: Decoded,
    unreadable_bytes: usize,
    count: u64,
    tally: Tally,
}

impl Records<'_> {
    fn take(&mut self, piece: Piece<'_>) -> Judged {
        match piece {
            Piece::Record(span) => self.record(span),
            Piece::Broken(broken) => {
                self.broken(&broken);
                Judged::Done
            }
        }
    }

    fn record(&mut self, span: Span<'_>) -> Judged {
        // The first record is parsed in any case: it tells whose log this is.
        if self.tally.has_home() && !self.prefilter.admits(span) {
            self.count += 1;
            return Judged::Done;
        }
        match read(span.bytes, &self.frame, self.strings) {
            Found::NotJson(detail) => return Judged::NotJson(detail),
            Found::HoldsRecords => return Judged::HoldsRecords,
            Found::OtherKind(OtherKind::File) => {}
            Found::OtherKind(OtherKind::Record) => self.count += 1,
            Found::Unreadable(reason, detail) => {
                self.quarantine(&self.position(), reason, &detail, span.bytes);
                self.count += 1;
            }
            Found::Record(mapped) => self.mapped(mapped, span.bytes),
        }
        Judged::Done
    }

    fn mapped(&mut self, mapped: Mapped, bytes: &[u8]) {
        self.tally.add(&mapped);
        if let Some(detail) = &mapped.unknown_version {
            self.quarantine(&self.position(), QuarantineReason::UnknownVersion, detail, bytes);
        }
        self.count += 1;
        if let Some(event) = mapped.event {
            self.piece.events.push(*event);
            if self.piece.events.len() == EVENTS_IN_A_PIECE {
                self.flush();
            }
        }
    }

    fn broken(&mut self, broken: &Broken<'_>) {
        self.quarantine(&self.position(), broken.reason, &broken.detail, broken.bytes);
        if !broken.bytes.is_empty() {
            self.count += 1;
        }
    }

    /// The object and the record's number in it, from 0.
    fn position(&self) -> String {
        format!("{}#{}", self.origin, self.count)
    }

    fn quarantine(&mut self, origin: &str, reason: QuarantineReason, detail: &str, bytes: &[u8]) {
        let entry = quarantined(origin, reason, detail, bytes);
        // The entry itself weighs something too, however small what it holds.
        self.unreadable_bytes += entry.bytes.len() + size_of::<Quarantined>() + origin.len() + detail.len();
        self.piece.quarantined.push(entry);
        if self.unreadable_bytes > UNREADABLE_BYTES_IN_A_PIECE {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.unreadable_bytes = 0;
        let piece = std::mem::take(&mut self.piece);
        if !piece.events.is_empty() || !piece.quarantined.is_empty() {
            (self.sink)(piece);
        }
    }
}

/// What was seen, by account and region. Records that were not parsed count for the account and region of the first
/// record that was: a file that CloudTrail wrote holds one of each.
#[derive(Default)]
struct Tally {
    home: Option<(AccountId, Region)>,
    parsed: BTreeMap<(AccountId, Region), Counts>,
}

#[derive(Default)]
struct Counts {
    records: u64,
    key_records: u64,
    newest: Option<Timestamp>,
}

impl Tally {
    fn has_home(&self) -> bool {
        self.home.is_some()
    }

    fn add(&mut self, mapped: &Mapped) {
        let place = (mapped.account.clone(), mapped.region.clone());
        let counts = match self.parsed.get_mut(&place) {
            Some(counts) => counts,
            None => self.parsed.entry(place.clone()).or_default(),
        };
        counts.records += 1;
        counts.key_records += u64::from(mapped.key_service);
        counts.newest = counts.newest.max(Some(mapped.time));
        if self.home.is_none() {
            self.home = Some(place);
        }
    }

    fn coverage(mut self, records: u64) -> Vec<Coverage> {
        let parsed: u64 = self.parsed.values().map(|counts| counts.records).sum();
        if let Some(home) = self.home {
            self.parsed.entry(home).or_default().records += records.saturating_sub(parsed);
        }
        let mut coverage = Vec::with_capacity(self.parsed.len());
        for ((account, region), counts) in self.parsed {
            coverage.push(Coverage {
                account,
                region,
                records: counts.records,
                key_records: counts.key_records,
                newest: counts.newest,
            });
        }
        coverage
    }
}
