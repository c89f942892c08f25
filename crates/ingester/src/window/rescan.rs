//! Re-scans: every so often, look much deeper than the regular windows, for records that appeared very late.

use std::time::Duration;

use keyvigil_connector::log_reader::Rescan;
use keyvigil_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BadCheckpoint, HOLD_BACK, Pace, Pass, VERSION, WindowState};

/// When each depth was last scanned.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RescanState {
    /// By depth in seconds, so that a change of the configured list does not mix them up.
    done: Vec<(u64, Timestamp)>,
}

/// A re-scan that is due.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DueRescan {
    /// Its windows.
    pub pass: Pass,
    /// How deep it looks.
    pub lookback: Duration,
    /// When it was found to be due.
    pub at: Timestamp,
}

impl RescanState {
    /// On a first run nothing is due yet: the regular windows have just begun.
    pub fn first(rescans: &[Rescan], now: Timestamp) -> Self {
        let mut state = Self::default();
        for rescan in rescans {
            state.set(rescan.lookback, now);
        }
        state
    }

    /// The deepest re-scan that is due. It ends where the regular windows start and reaches back to the first run at
    /// most.
    pub fn due(
        &self,
        rescans: &[Rescan],
        regular: &WindowState,
        pace: &Pace,
        now: Timestamp,
    ) -> Option<DueRescan> {
        let mut deepest: Option<Duration> = None;
        for rescan in rescans {
            let due = self
                .last(rescan.lookback)
                .is_none_or(|last| now.distance(last) >= rescan.every);
            if due && deepest.is_none_or(|other| rescan.lookback > other) {
                deepest = Some(rescan.lookback);
            }
        }
        let lookback = deepest?;
        let limit = now.minus(HOLD_BACK);
        let start = limit.minus(lookback).max(regular.origin);
        let end = regular.floor.minus(pace.overlap).min(limit);
        Some(DueRescan {
            pass: Pass::new(start, end, limit, pace.max_window),
            lookback,
            at: now,
        })
    }

    /// The state once the last window is committed: shallower re-scans that were due are covered.
    #[must_use]
    pub fn after(&self, rescans: &[Rescan], done: &DueRescan) -> Self {
        let mut after = self.clone();
        for rescan in rescans {
            if rescan.lookback <= done.lookback {
                after.set(rescan.lookback, done.at);
            }
        }
        after
    }

    fn last(&self, lookback: Duration) -> Option<Timestamp> {
        let depth = lookback.as_secs();
        self.done.iter().find(|(of, _)| *of == depth).map(|(_, at)| *at)
    }

    fn set(&mut self, lookback: Duration, at: Timestamp) {
        let depth = lookback.as_secs();
        self.done.retain(|(of, _)| *of != depth);
        self.done.push((depth, at));
    }

    /// The text that is stored.
    pub fn encode(&self) -> String {
        let done = self
            .done
            .iter()
            .map(|(depth, at)| (*depth, at.as_micros()))
            .collect();
        serde_json::to_string(&Saved { v: VERSION, done }).expect("numbers always serialize")
    }

    /// Reads what [`RescanState::encode`] wrote.
    pub fn decode(text: &str) -> Result<Self, BadCheckpoint> {
        let saved: Saved = serde_json::from_str(text).map_err(BadCheckpoint::NotReadable)?;
        if saved.v != VERSION {
            return Err(BadCheckpoint::Version(saved.v));
        }
        let mut state = Self::default();
        for (depth, at) in saved.done {
            state.done.push((depth, Timestamp::from_micros(at)));
        }
        Ok(state)
    }
}

/// The stored form: depth in seconds, last time in microseconds since the epoch.
#[derive(Serialize, Deserialize)]
struct Saved {
    v: u32,
    done: Vec<(u64, i64)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::lateness::Lateness;

    const HOUR: u64 = 3_600;

    fn rescans() -> Vec<Rescan> {
        let rescan = |every, lookback| Rescan {
            every: Duration::from_secs(every * HOUR),
            lookback: Duration::from_secs(lookback * HOUR),
        };
        vec![rescan(1, 6), rescan(24, 48)]
    }

    fn hours(count: u64) -> Timestamp {
        Timestamp::from_secs(1_700_000_000).plus(Duration::from_secs(count * HOUR))
    }

    #[test]
    fn the_deepest_due_one_covers_the_others() {
        let pace = Pace {
            settle: Duration::from_secs(1_200),
            settle_max: Duration::from_secs(7_200),
            overlap: Duration::from_secs(1_800),
            first_lookback: Duration::ZERO,
            lost_lookback: Duration::ZERO,
            max_window: Duration::from_secs(HOUR),
        };
        let regular = |now: Timestamp| WindowState {
            floor: now.minus(Duration::from_secs(1_200)),
            origin: hours(0),
            settle: pace.settle,
            lateness: Lateness::default(),
        };
        let mut state = RescanState::first(&rescans(), hours(100));
        let mut depths = Vec::new();
        for half_hour in 0..=50 {
            let now = hours(100).plus(Duration::from_secs(half_hour * HOUR / 2));
            let Some(due) = state.due(&rescans(), &regular(now), &pace, now) else {
                continue;
            };
            let mut pass = due.pass.clone();
            let first = pass.next_window().unwrap();
            assert_eq!(first.start, now.minus(HOLD_BACK).minus(due.lookback));
            let mut last = first;
            while let Some(window) = pass.next_window() {
                assert_eq!(window.start, last.end);
                last = window;
            }
            assert_eq!(last.end, regular(now).floor.minus(pace.overlap));
            depths.push(due.lookback.as_secs() / HOUR);
            state = RescanState::decode(&state.after(&rescans(), &due).encode()).unwrap();
        }
        let expected: Vec<u64> = (1..=25).map(|hour| if hour == 24 { 48 } else { 6 }).collect();
        assert_eq!(depths, expected);
    }
}
