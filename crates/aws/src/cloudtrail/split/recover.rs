//! How splitting goes on after something that is broken, too large, or of no interest.

use keyvigil_model::batch::QuarantineReason;

use super::scan::Scan;
use super::{Mode, Place, Sink, Splitter, Step, Tail, report, resync};

impl Splitter {
    /// The end of the list in a wrapper, unless another record follows all the same.
    pub(super) fn end_of_list(&mut self, window: &[u8], at: usize, tail: Tail, sink: &mut Sink<'_>) -> Step {
        let rest = window.get(at + 1..).unwrap_or_default().trim_ascii_start();
        let after_comma = rest.strip_prefix(b",").map_or(rest, <[u8]>::trim_ascii_start);
        if after_comma.is_empty() && tail == Tail::More {
            return Step::Wait(at);
        }
        if after_comma.starts_with(b"{") {
            report(
                sink,
                QuarantineReason::NotJson,
                "the list of records ends before its last record",
                b"]",
            );
        } else {
            self.place = Place::Top;
            self.mode = Mode::Skipping(Scan::inside(1));
        }
        Step::Go(at + 1)
    }

    /// A value that the end of the log cuts off. A line that was cut may have taken the next lines for its own.
    pub(super) fn unfinished(&mut self, window: &[u8], at: usize, tail: Tail, sink: &mut Sink<'_>) -> Step {
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
    pub(super) fn recover(&mut self, window: &[u8], at: usize, sink: &mut Sink<'_>, detail: &str) -> Step {
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

    pub(super) fn look_for_a_record(&mut self, window: &[u8], at: usize, tail: Tail) -> Step {
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

    pub(super) fn skip(&mut self, window: &[u8], at: usize, tail: Tail, sink: &mut Sink<'_>) -> Step {
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
