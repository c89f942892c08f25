//! How late records appear: a coarse histogram, and the memory that tells late ones from those read twice.

use std::collections::HashMap;
use std::time::Duration;

use keyvigil_model::id::DedupeKey;
use keyvigil_model::time::Timestamp;

/// Bucket `n` counts records at most `2^n` seconds late; the last one holds everything later (over 36 hours).
const BUCKETS: usize = 18;
/// Beyond this many records all counts are halved, so that the past fades.
const FADE_AT: u64 = 100_000;

/// A histogram of lateness.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lateness([u32; BUCKETS]);

impl Lateness {
    /// Counts `records` that were at least this late.
    pub fn observe(&mut self, late: Duration, records: u64) {
        let mut bucket = 0;
        while bucket + 1 < BUCKETS && late > Duration::from_secs(1 << bucket) {
            bucket += 1;
        }
        let records = u32::try_from(records).unwrap_or(u32::MAX);
        self.0[bucket] = self.0[bucket].saturating_add(records);
        if self.total() > FADE_AT {
            for count in &mut self.0 {
                *count /= 2;
            }
        }
    }

    /// Records counted.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|count| u64::from(*count)).sum()
    }

    /// 999 of 1,000 records were at most this late (to the bucket's upper bound); zero where none was counted.
    pub fn p999(&self) -> Duration {
        let total = self.total();
        let mut seen = 0;
        for (bucket, count) in self.0.iter().enumerate() {
            seen += u64::from(*count);
            if total > 0 && seen * 1_000 >= total * 999 {
                return Duration::from_secs(1 << bucket);
            }
        }
        Duration::ZERO
    }

    /// How far the floor is to stay behind: `least`, or twice what was measured where that is more, up to `most`.
    pub fn settle(&self, least: Duration, most: Duration) -> Duration {
        let measured = self.p999();
        if measured > least {
            (measured * 2).min(most)
        } else {
            least
        }
    }

    pub(super) fn counts(&self) -> &[u32] {
        &self.0
    }

    pub(super) fn from_counts(counts: &[u32]) -> Self {
        let mut buckets = [0; BUCKETS];
        for (bucket, count) in buckets.iter_mut().zip(counts) {
            *bucket = *count;
        }
        Self(buckets)
    }
}

/// At most this many records are remembered; a log with more in a window is not measured.
const MOST_REMEMBERED: usize = 200_000;

/// The records of the last passes, by id. Only as long as the process lives: after a start, the first pass fills it.
#[derive(Default)]
pub struct Recent {
    seen: HashMap<DedupeKey, Timestamp>,
    /// The limit of the last finished pass; up to it, whatever was visible then is in `seen`.
    passed: Option<Timestamp>,
    overflowed: bool,
}

impl Recent {
    /// Takes a record of the current pass. Tells how late it is, if it was not visible in the last one: at least so
    /// much, since it was looked for then.
    pub fn lateness(&mut self, key: DedupeKey, time: Timestamp, from: Timestamp) -> Option<Duration> {
        if self.seen.len() >= MOST_REMEMBERED {
            self.overflowed = true;
            return None;
        }
        let known = self.seen.insert(key, time).is_some();
        let passed = self.passed?;
        if known || self.overflowed || time < from {
            return None;
        }
        Some(passed.since(time))
    }

    /// A pass is finished; the next one will start at `next_start` at the earliest.
    pub fn pass_finished(&mut self, limit: Timestamp, next_start: Timestamp) {
        if self.overflowed {
            self.seen.clear();
            self.overflowed = false;
            self.passed = None;
            return;
        }
        self.seen.retain(|_, time| *time >= next_start);
        self.passed = Some(limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn settle_grows_with_what_is_measured_and_not_beyond_the_most() {
        let check = |on_time: u64, late: u64, by: u64, expected: u64| {
            let mut lateness = Lateness::default();
            lateness.observe(seconds(1), on_time);
            lateness.observe(seconds(by), late);
            let settle = lateness.settle(seconds(1_200), seconds(7_200));
            assert_eq!(settle, seconds(expected), "{late} of {on_time} late by {by}");
        };
        check(0, 0, 0, 1_200);
        check(10_000, 0, 0, 1_200);
        check(10_000, 100, 600, 1_200);
        check(10_000, 100, 2_000, 4_096);
        check(10_000, 100, 50_000, 7_200);
        check(10_000, 5, 50_000, 1_200);
    }

    #[test]
    fn the_past_fades() {
        let mut lateness = Lateness::default();
        lateness.observe(seconds(4_000), 1_000);
        assert_eq!(lateness.p999(), seconds(4_096));
        for _ in 0..200 {
            lateness.observe(seconds(1), 10_000);
        }
        assert_eq!(lateness.p999(), seconds(1));
        assert!(lateness.total() <= FADE_AT);
    }

    #[test]
    fn only_what_was_looked_for_and_not_there_is_late() {
        let (a, b, c) = (DedupeKey([1; 16]), DedupeKey([2; 16]), DedupeKey([3; 16]));
        let at = Timestamp::from_secs;
        let mut recent = Recent::default();
        assert_eq!(
            recent.lateness(a, at(100), at(0)),
            None,
            "the first pass only fills the memory"
        );
        recent.pass_finished(at(200), at(50));
        assert_eq!(recent.lateness(a, at(100), at(50)), None, "read twice");
        assert_eq!(recent.lateness(b, at(120), at(50)), Some(seconds(80)), "late");
        assert_eq!(
            recent.lateness(c, at(210), at(50)),
            Some(Duration::ZERO),
            "on time"
        );
    }
}
