//! Which window of a log to read next, and how far the position may move. Pure; the reasons are in failure modes that
//! other log readers had: a position of "last event seen" loses every event that appears out of order.
//!
//! The position is a *floor*: everything older was seen, as far as records are at most `settle` late. A window starts
//! `overlap` before the floor and ends a little before now; what is read twice is recognised by its id. The floor
//! moves only after the last page of a window is committed, and stays `settle` behind the moment at which the window
//! was frozen. Records later than that are found by re-scans ([`rescan`]), which look much deeper and less often.

use std::time::Duration;

use keyvigil_connector::log_reader::LogSource;
use keyvigil_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use lateness::Lateness;

pub mod lateness;
pub mod rescan;

/// Windows end this long before now: records of the last seconds are still arriving, clocks differ a little.
pub const HOLD_BACK: Duration = Duration::from_secs(5);

/// A floor further ahead of now than this was made by a clock that was wrong.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// The pace of one log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pace {
    /// How late records are taken to be until lateness is measured.
    pub settle: Duration,
    /// The settle time never grows beyond this; what is later still is left to the re-scans.
    pub settle_max: Duration,
    /// How far before the floor a window starts.
    pub overlap: Duration,
    /// How far back a first run looks.
    pub first_lookback: Duration,
    /// How far back to look when the position is lost or cannot be trusted.
    pub lost_lookback: Duration,
    /// Longer windows are split; always longer than the overlap, or a reader far behind would never catch up.
    pub max_window: Duration,
}

impl Pace {
    /// The pace that a source asks for.
    pub fn of(source: &LogSource, settle_max: Duration, max_window: Duration) -> Self {
        let deepest = source.rescans.iter().map(|rescan| rescan.lookback).max();
        Self {
            settle: source.settle,
            settle_max: settle_max.max(source.settle),
            overlap: source.overlap,
            first_lookback: source.first_lookback,
            lost_lookback: source.first_lookback.max(deepest.unwrap_or_default()),
            max_window: max_window.max(source.overlap * 2).max(Duration::from_secs(60)),
        }
    }
}

/// The position in a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WindowState {
    /// Everything older was seen, unless it was later than `settle`.
    pub floor: Timestamp,
    /// Nothing older is ever asked for: where the first run began.
    pub origin: Timestamp,
    /// How far the floor stays behind the present.
    pub settle: Duration,
    /// How late records were.
    pub lateness: Lateness,
}

/// A frozen window: every page of it is asked for with the same bounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Inclusive.
    pub start: Timestamp,
    /// Exclusive.
    pub end: Timestamp,
    /// The moment up to which the log could be seen when the window was frozen: [`HOLD_BACK`] before then.
    pub limit: Timestamp,
}

/// Consecutive windows, oldest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pass {
    next: Timestamp,
    end: Timestamp,
    limit: Timestamp,
    max_window: Duration,
}

impl Pass {
    pub(crate) fn new(start: Timestamp, end: Timestamp, limit: Timestamp, max_window: Duration) -> Self {
        Self {
            next: start,
            end,
            limit,
            max_window,
        }
    }

    /// The next window, once the last one is committed to its last page.
    pub fn next_window(&mut self) -> Option<Window> {
        if self.next >= self.end {
            return None;
        }
        let window = Window {
            start: self.next,
            end: self.next.plus(self.max_window).min(self.end),
            limit: self.limit,
        };
        self.next = window.end;
        Some(window)
    }

    /// Whether no window is left.
    pub fn is_done(&self) -> bool {
        self.next >= self.end
    }
}

/// Whether the stored position could be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trust {
    /// As it was stored.
    Kept,
    /// It lay in the future: a clock was wrong. It was taken back so far that nothing is missed.
    ClockWasWrong,
}

impl WindowState {
    /// Where a first run begins.
    pub fn first(pace: &Pace, now: Timestamp) -> Self {
        Self::beginning_at(now.minus(HOLD_BACK).minus(pace.first_lookback), pace)
    }

    /// Where to go on when the position is lost: far back. What was read before is recognised by its id.
    pub fn lost(pace: &Pace, now: Timestamp) -> Self {
        Self::beginning_at(now.minus(HOLD_BACK).minus(pace.lost_lookback), pace)
    }

    fn beginning_at(floor: Timestamp, pace: &Pace) -> Self {
        Self {
            floor,
            origin: floor,
            settle: pace.settle,
            lateness: Lateness::default(),
        }
    }

    /// The windows to be read now. Takes back a floor that a wrong clock has put into the future.
    pub fn plan(&mut self, pace: &Pace, now: Timestamp) -> (Pass, Trust) {
        let limit = now.minus(HOLD_BACK);
        let mut trust = Trust::Kept;
        if self.floor > limit.plus(CLOCK_TOLERANCE) {
            self.floor = limit.minus(pace.lost_lookback);
            self.origin = self.origin.min(self.floor);
            trust = Trust::ClockWasWrong;
        }
        let start = self.floor.minus(pace.overlap).max(self.origin);
        (Pass::new(start, limit, limit, pace.max_window), trust)
    }

    /// The position once every page of the window is committed. It never moves back and never into the time in
    /// which records may still appear.
    #[must_use]
    pub fn after(&self, pace: &Pace, window: &Window) -> Self {
        let mut after = self.clone();
        after.settle = self.lateness.settle(pace.settle, pace.settle_max);
        let settled = window.limit.minus(after.settle);
        after.floor = self.floor.max(window.end.min(settled));
        after
    }

    /// The text that is stored.
    pub fn encode(&self) -> String {
        let saved = Saved {
            v: VERSION,
            floor: self.floor.as_micros(),
            origin: self.origin.as_micros(),
            settle: u64::try_from(self.settle.as_micros()).unwrap_or(u64::MAX),
            late: self.lateness.counts().to_vec(),
        };
        serde_json::to_string(&saved).expect("numbers always serialize")
    }

    /// Reads what [`WindowState::encode`] wrote.
    pub fn decode(text: &str) -> Result<Self, BadCheckpoint> {
        let saved: Saved = serde_json::from_str(text).map_err(BadCheckpoint::NotReadable)?;
        if saved.v != VERSION {
            return Err(BadCheckpoint::Version(saved.v));
        }
        Ok(Self {
            floor: Timestamp::from_micros(saved.floor),
            origin: Timestamp::from_micros(saved.origin),
            settle: Duration::from_micros(saved.settle),
            lateness: Lateness::from_counts(&saved.late),
        })
    }
}

const VERSION: u32 = 1;

/// The stored form. Times in microseconds since the epoch, spans in microseconds.
#[derive(Serialize, Deserialize)]
struct Saved {
    v: u32,
    floor: i64,
    origin: i64,
    settle: u64,
    late: Vec<u32>,
}

/// A stored position that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadCheckpoint {
    /// Not what this crate writes.
    #[error("the stored position is not readable")]
    NotReadable(#[source] serde_json::Error),
    /// Written by a later version.
    #[error("the stored position has version {0}, this program knows {VERSION}")]
    Version(u32),
}

#[cfg(test)]
mod tests;
