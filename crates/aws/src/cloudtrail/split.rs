//! Splits a log into its records without parsing them.
//!
//! It takes the log in windows of any size and hands over each record as the bytes that it is. Known arrangements:
//! `{"Records":[…]}` (S3 delivery), `{"Events":[…]}` (the answer of LookupEvents), a list of records, one record, and any
//! of these one after another, with or without line breaks.
//!
//! Where records end is found by counting brackets outside strings ([`scan::Scan`]). That is exact for JSON. Whatever is
//! not JSON shows up as an end in the wrong place or as a record that does not parse; then a real parser decides what is
//! broken, the broken part is handed over once, and splitting resumes at the next place where a record plainly begins
//! ([`resync`]). A brace inside a string must never cost the neighbours (reference "reliability", F36).

mod exact;
mod recover;
mod resync;
mod scan;
#[cfg(test)]
mod tests;

use keyvigil_model::batch::QuarantineReason;

pub(crate) use self::exact::within_limits;
pub(crate) use self::resync::holds_records;

use self::exact::{Exact, exact, too_deep, too_large};
use self::resync::Resync;
pub(crate) use self::scan::{SOURCE_KEY, Sources};
use self::scan::{Scan, Scanned};

/// A record may have this many bytes. CloudTrail's own limit is 256 KB (reference "reliability", section 4.7).
pub(crate) const MAX_RECORD: usize = 1024 * 1024;
/// A record may be nested this deep.
pub(crate) const MAX_DEPTH: u32 = 64;

/// What comes after the window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tail {
    /// More of the log.
    More,
    /// Nothing: the log ends here.
    End,
    /// Nothing readable: the stream broke here, which is reported by whoever read it.
    Cut,
}

/// A part of the log.
#[derive(Debug)]
pub(crate) enum Piece<'a> {
    /// A record: an object by its brackets, not yet parsed.
    Record(Span<'a>),
    /// Something that cannot be a record.
    Broken(Broken<'a>),
}

/// The bytes of one record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span<'a> {
    pub(crate) bytes: &'a [u8],
    /// Whether there may be a backslash in it.
    pub(crate) backslash: bool,
    /// Where it holds `"eventSource"`; not known where it was not found by the scan.
    pub(crate) sources: Option<Sources>,
}

/// The bytes of something that is not a record, with the reason.
#[derive(Debug)]
pub(crate) struct Broken<'a> {
    pub(crate) reason: QuarantineReason,
    pub(crate) detail: String,
    /// Empty where the fault is that something is missing.
    pub(crate) bytes: &'a [u8],
}

/// What the receiver of a record found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Judged {
    /// It is dealt with.
    Done,
    /// It is no JSON: look for its real end.
    NotJson(String),
    /// It is JSON only because its own end is missing and it took the end of the list: there are records inside it.
    HoldsRecords,
}

const NOTHING_FOLLOWS: &str = "neither a comma nor the end of the list comes after a value";
const HOLDS_RECORDS: &str = "the end of the record is missing: it runs into the next ones";

/// Receives the parts in the order of the log.
pub(crate) type Sink<'s> = dyn FnMut(Piece<'_>) -> Judged + 's;

/// Finds the records of one log. Create one for each log.
pub(crate) struct Splitter {
    place: Place,
    mode: Mode,
    resync: Resync,
    seen_anything: bool,
}

/// What the next value is part of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// Of nothing.
    Top,
    /// Of a list within an object (`Records`).
    Wrapped,
    /// Of a list of its own.
    List,
}

enum Mode {
    /// At a value or between two.
    Normal,
    /// In something that need not be looked at, up to its closing bracket.
    Skipping(Scan),
    /// In something broken that was reported, up to the next plain beginning.
    Lost,
}

enum Step {
    /// Go on at this offset.
    Go(usize),
    /// Nothing more can be told from this window; what begins here is needed again.
    Wait(usize),
}

impl Splitter {
    pub(crate) fn new() -> Self {
        Self {
            place: Place::Top,
            mode: Mode::Normal,
            resync: Resync::default(),
            seen_anything: false,
        }
    }

    /// Whether there was anything but white space.
    pub(crate) fn seen_anything(&self) -> bool {
        self.seen_anything
    }

    /// Splits a window. Answers how many of its bytes are dealt with: the rest must come again at the beginning of the
    /// next window, followed by more. With `Tail::More` the rest is shorter than [`MAX_RECORD`].
    pub(crate) fn feed(&mut self, window: &[u8], tail: Tail, sink: &mut Sink<'_>) -> usize {
        let mut at = 0;
        loop {
            let step = match &self.mode {
                Mode::Normal => self.next_value(window, at, tail, sink),
                Mode::Skipping(_) => self.skip(window, at, tail, sink),
                Mode::Lost => self.look_for_a_record(window, at, tail),
            };
            match step {
                Step::Go(next) => at = next,
                Step::Wait(done) => {
                    self.finish(tail, sink);
                    return done;
                }
            }
        }
    }

    /// A log that ends within a list lost its end.
    fn finish(&mut self, tail: Tail, sink: &mut Sink<'_>) {
        let open = self.place != Place::Top && matches!(self.mode, Mode::Normal);
        if tail == Tail::End && open {
            self.mode = Mode::Lost;
            report(
                sink,
                QuarantineReason::NotJson,
                "the data end before the list of records is closed",
                &[],
            );
        }
    }

    fn next_value(&mut self, window: &[u8], at: usize, tail: Tail, sink: &mut Sink<'_>) -> Step {
        let mut at = at;
        if !self.seen_anything
            && window
                .get(at..)
                .is_some_and(|rest| rest.starts_with(b"\xef\xbb\xbf"))
        {
            at += 3;
        }
        while let Some(b' ' | b'\t' | b'\r' | b'\n' | b',') = window.get(at) {
            at += 1;
        }
        let Some(first) = window.get(at) else {
            return Step::Wait(at);
        };
        self.seen_anything = true;
        match (first, self.place) {
            (b'{', Place::Top) => self.top_object(window, at, tail, sink),
            (b'{', Place::Wrapped | Place::List) => self.record(window, at, tail, sink),
            (b'[', Place::Top) => {
                self.place = Place::List;
                Step::Go(at + 1)
            }
            (b']', Place::List) => {
                self.place = Place::Top;
                Step::Go(at + 1)
            }
            (b']', Place::Wrapped) => self.end_of_list(window, at, tail, sink),
            _ => self.exactly(window, at, tail, sink),
        }
    }

    /// An object that is part of nothing: a wrapper or a record.
    fn top_object(&mut self, window: &[u8], at: usize, tail: Tail, sink: &mut Sink<'_>) -> Step {
        let rest = window.get(at..).unwrap_or_default();
        let limited = rest.get(..MAX_RECORD).unwrap_or(rest);
        let list = match resync::first_key(rest) {
            resync::FirstKey::Is { key, value } => resync::list_of_records(rest, key, value),
            resync::FirstKey::Unclear if tail == Tail::More => return Step::Wait(at),
            resync::FirstKey::Unclear | resync::FirstKey::None => None,
        };
        if let Some(inside) = list {
            self.place = Place::Wrapped;
            return Step::Go(at + inside);
        }
        let scanned = Scan::value(limited);
        let walked = match scanned {
            Scanned::End { length, .. } => {
                let span = limited.get(..length).unwrap_or_default();
                if resync::may_hold_a_list(span) {
                    resync::walk(span)
                } else {
                    resync::Walk::Neither
                }
            }
            Scanned::Open if tail == Tail::More && rest.len() < MAX_RECORD => return Step::Wait(at),
            Scanned::Open => resync::walk(limited),
        };
        match (walked, scanned) {
            (resync::Walk::List(inside), _) => {
                self.place = Place::Wrapped;
                Step::Go(at + inside)
            }
            (resync::Walk::Digest, Scanned::Open) => {
                self.mode = Mode::Skipping(Scan::inside(0));
                Step::Go(at)
            }
            (resync::Walk::Digest | resync::Walk::Neither, _) => {
                self.scanned(window, at, tail, sink, scanned)
            }
        }
    }

    fn record(&mut self, window: &[u8], at: usize, tail: Tail, sink: &mut Sink<'_>) -> Step {
        let rest = window.get(at..).unwrap_or_default();
        let scanned = Scan::value(rest.get(..MAX_RECORD).unwrap_or(rest));
        self.scanned(window, at, tail, sink, scanned)
    }

    /// Hands over what the scan took for a record, if its surroundings say so too.
    fn scanned(
        &mut self,
        window: &[u8],
        at: usize,
        tail: Tail,
        sink: &mut Sink<'_>,
        scanned: Scanned,
    ) -> Step {
        let Scanned::End {
            length,
            deepest,
            backslash,
            sources,
        } = scanned
        else {
            return self.exactly(window, at, tail, sink);
        };
        let end = at + length;
        let bytes = window.get(at..end).unwrap_or_default();
        if !bytes.ends_with(b"}") || !self.may_follow(window.get(end..).unwrap_or_default()) {
            return self.exactly(window, at, tail, sink);
        }
        if deepest > MAX_DEPTH {
            // Quotes that are out of step look deep too: then it is not one record.
            return match exact(bytes) {
                Exact::End(_) if holds_records(bytes) => self.recover(window, at, sink, HOLDS_RECORDS),
                Exact::End(real) if real == length => {
                    report(sink, QuarantineReason::TooDeep, &too_deep(deepest), bytes);
                    Step::Go(end)
                }
                Exact::End(_) | Exact::Unfinished | Exact::Syntax(_) => self.exactly(window, at, tail, sink),
            };
        }
        let span = Span {
            bytes,
            backslash,
            sources: Some(sources),
        };
        match sink(Piece::Record(span)) {
            Judged::Done => {
                self.resync.found_a_record();
                Step::Go(end)
            }
            Judged::HoldsRecords => self.recover(window, at, sink, HOLDS_RECORDS),
            Judged::NotJson(detail) => match exact(bytes) {
                Exact::End(_) if holds_records(bytes) => self.recover(window, at, sink, HOLDS_RECORDS),
                // The fault is inside this record alone: its ends are right.
                Exact::End(real) if real == length => {
                    report(sink, QuarantineReason::NotJson, &detail, bytes);
                    Step::Go(end)
                }
                Exact::End(_) | Exact::Unfinished | Exact::Syntax(_) => {
                    self.recover(window, at, sink, &detail)
                }
            },
        }
    }

    /// Whether what comes after a record can come after a record.
    fn may_follow(&self, rest: &[u8]) -> bool {
        let next = rest.iter().find(|byte| !byte.is_ascii_whitespace());
        match (self.place, next) {
            (Place::Top, None) => true,
            (Place::Top, Some(byte)) => matches!(byte, b'{' | b'[' | b','),
            // A list is never over with its last record: that one took the end of the list for its own.
            (Place::Wrapped | Place::List, None) => false,
            (Place::Wrapped | Place::List, Some(byte)) => matches!(byte, b',' | b']'),
        }
    }

    /// Lets a real parser find the end of a value, because the scan could not or is not to be trusted.
    fn exactly(&mut self, window: &[u8], at: usize, tail: Tail, sink: &mut Sink<'_>) -> Step {
        let rest = window.get(at..).unwrap_or_default();
        let limited = rest.get(..MAX_RECORD).unwrap_or(rest);
        if tail == Tail::More && rest.len() < MAX_RECORD {
            return Step::Wait(at);
        }
        match exact(limited) {
            Exact::End(length) => {
                let bytes = limited.get(..length).unwrap_or_default();
                let followed = self.may_follow(limited.get(length..).unwrap_or_default());
                if !bytes.starts_with(b"{") {
                    // A stray quote begins a string that ends in the next record.
                    if !followed {
                        return self.recover(window, at, sink, NOTHING_FOLLOWS);
                    }
                    report(
                        sink,
                        QuarantineReason::NotAnObject,
                        "a record must be a JSON object",
                        bytes,
                    );
                    return Step::Go(at + length);
                }
                if self.place != Place::Top && !followed && holds_records(bytes) {
                    return self.recover(window, at, sink, HOLDS_RECORDS);
                }
                let span = Span {
                    bytes,
                    backslash: true,
                    sources: None,
                };
                match sink(Piece::Record(span)) {
                    Judged::Done => self.resync.found_a_record(),
                    Judged::HoldsRecords => return self.recover(window, at, sink, HOLDS_RECORDS),
                    Judged::NotJson(detail) => report(sink, QuarantineReason::NotJson, &detail, bytes),
                }
                Step::Go(at + length)
            }
            Exact::Syntax(detail) => self.recover(window, at, sink, &detail),
            Exact::Unfinished if limited.len() == MAX_RECORD => {
                let detail = too_large();
                report(sink, QuarantineReason::TooLarge, &detail, limited);
                self.mode = Mode::Skipping(Scan::inside(0));
                Step::Go(at)
            }
            Exact::Unfinished => self.unfinished(window, at, tail, sink),
        }
    }
}

fn report(sink: &mut Sink<'_>, reason: QuarantineReason, detail: &str, bytes: &[u8]) {
    let judged = sink(Piece::Broken(Broken {
        reason,
        detail: detail.to_owned(),
        bytes,
    }));
    debug_assert_eq!(
        judged,
        Judged::Done,
        "something broken cannot be found broken again"
    );
}
