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

mod resync;
mod scan;
#[cfg(test)]
mod tests;

use keyvigil_model::batch::QuarantineReason;
use serde::de::IgnoredAny;

use self::resync::Resync;
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
}

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

/// How much of a value a real parser could read.
enum Exact {
    End(usize),
    Unfinished,
    Syntax(String),
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
            (b']', Place::Wrapped) => {
                self.place = Place::Top;
                self.mode = Mode::Skipping(Scan::inside(1));
                Step::Go(at + 1)
            }
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
            let detail = format!("nested {deepest} deep, the limit is {MAX_DEPTH}");
            report(sink, QuarantineReason::TooDeep, &detail, bytes);
            return Step::Go(end);
        }
        match sink(Piece::Record(Span { bytes, backslash })) {
            Judged::Done => {
                self.resync.found_a_record();
                Step::Go(end)
            }
            Judged::NotJson(detail) => match exact(bytes) {
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
            (_, None) => true,
            (Place::Top, Some(byte)) => matches!(byte, b'{' | b'[' | b','),
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
                if !bytes.starts_with(b"{") {
                    report(
                        sink,
                        QuarantineReason::NotAnObject,
                        "a record must be a JSON object",
                        bytes,
                    );
                    return Step::Go(at + length);
                }
                let span = Span {
                    bytes,
                    backslash: true,
                };
                match sink(Piece::Record(span)) {
                    Judged::Done => self.resync.found_a_record(),
                    Judged::NotJson(detail) => report(sink, QuarantineReason::NotJson, &detail, bytes),
                }
                Step::Go(at + length)
            }
            Exact::Syntax(detail) => self.recover(window, at, sink, &detail),
            Exact::Unfinished if limited.len() == MAX_RECORD => {
                let detail = format!("more than {MAX_RECORD} bytes");
                report(sink, QuarantineReason::TooLarge, &detail, limited);
                self.mode = Mode::Skipping(Scan::inside(0));
                Step::Go(at)
            }
            Exact::Unfinished => self.unfinished(window, at, tail, sink),
        }
    }

    /// A value that the end of the log cuts off. A line that was cut may have taken the next lines for its own.
    fn unfinished(&mut self, window: &[u8], at: usize, tail: Tail, sink: &mut Sink<'_>) -> Step {
        const DETAIL: &str = "the data end inside a record";
        let from = at + self.resync.stride();
        let start = self.resync.next_start(window, from, self.place == Place::Top);
        if start.is_some() || tail == Tail::End {
            let end = start.unwrap_or(window.len());
            report(
                sink,
                QuarantineReason::NotJson,
                DETAIL,
                window.get(at..end).unwrap_or_default(),
            );
        }
        match start {
            Some(start) => self.arrive(window, start),
            None => {
                self.mode = Mode::Lost;
                Step::Wait(window.len())
            }
        }
    }

    /// Hands over something broken that begins at `at`, and goes on where the next record begins.
    fn recover(&mut self, window: &[u8], at: usize, sink: &mut Sink<'_>, detail: &str) -> Step {
        let from = at + self.resync.stride();
        match self.resync.next_start(window, from, self.place == Place::Top) {
            Some(start) => {
                report(
                    sink,
                    QuarantineReason::NotJson,
                    detail,
                    window.get(at..start).unwrap_or_default(),
                );
                self.arrive(window, start)
            }
            None => {
                report(
                    sink,
                    QuarantineReason::NotJson,
                    detail,
                    window.get(at..).unwrap_or_default(),
                );
                self.mode = Mode::Lost;
                Step::Go(from.min(window.len()))
            }
        }
    }

    fn look_for_a_record(&mut self, window: &[u8], at: usize, tail: Tail) -> Step {
        if let Some(start) = self.resync.next_start(window, at, self.place == Place::Top) {
            return self.arrive(window, start);
        }
        match tail {
            // The beginning of a record may be cut by the end of the window.
            Tail::More => Step::Wait(at.max(window.len().saturating_sub(resync::MARKER))),
            Tail::End | Tail::Cut => Step::Wait(window.len()),
        }
    }

    fn arrive(&mut self, window: &[u8], start: usize) -> Step {
        if resync::begins_a_wrapper(window.get(start..).unwrap_or_default()) {
            self.place = Place::Top;
        }
        self.mode = Mode::Normal;
        Step::Go(start)
    }

    fn skip(&mut self, window: &[u8], at: usize, tail: Tail, sink: &mut Sink<'_>) -> Step {
        let Mode::Skipping(scan) = &mut self.mode else {
            return Step::Go(at);
        };
        let rest = window.get(at..).unwrap_or_default();
        let scanned = match scan.whole_blocks(rest) {
            Ok(length) => {
                self.mode = Mode::Normal;
                return Step::Go(at + length);
            }
            Err(scanned) => scanned,
        };
        if tail == Tail::More {
            return Step::Wait(at + scanned);
        }
        match scan.tail(rest.get(scanned..).unwrap_or_default()) {
            Some(length) => {
                self.mode = Mode::Normal;
                Step::Go(at + scanned + length)
            }
            None => {
                if tail == Tail::End {
                    report(
                        sink,
                        QuarantineReason::NotJson,
                        "the data end before an object is closed",
                        &[],
                    );
                }
                self.mode = Mode::Lost;
                Step::Wait(window.len())
            }
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

/// Reads one value as JSON says, without limits on depth and without recursion.
fn exact(bytes: &[u8]) -> Exact {
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
        return Err((
            QuarantineReason::TooLarge,
            format!("more than {MAX_RECORD} bytes"),
        ));
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
        Scanned::End { deepest, .. } if deepest > MAX_DEPTH => Err((
            QuarantineReason::TooDeep,
            format!("nested {deepest} deep, the limit is {MAX_DEPTH}"),
        )),
        Scanned::End { backslash, .. } => Ok(Span { bytes, backslash }),
        Scanned::Open => Err((
            QuarantineReason::NotJson,
            "the data end inside a record".to_owned(),
        )),
    }
}
