//! Counters of one source, as atomics: the drivers write them, the binary exports them.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use keyvigil_connector::failure::FailureClass;
use keyvigil_model::time::Timestamp;

/// Counters of one source. Everything that counts only goes up, for as long as the process lives.
#[derive(Debug, Default)]
pub struct SourceMetrics {
    /// Events published and committed, duplicates included.
    pub received: Counter,
    /// Events among them that had been seen before.
    pub duplicates: Counter,
    /// Records, messages and objects put in quarantine.
    pub quarantined: Counter,
    /// Objects read to their end.
    pub objects: Counter,
    /// Objects announced again although they had been read.
    pub objects_known: Counter,
    /// Objects found by listing that no message had led to.
    pub objects_listed: Counter,
    /// Messages acknowledged.
    pub acknowledged: Counter,
    /// Messages left to be delivered again.
    pub left: Counter,
    /// Heartbeats sent for messages in work.
    pub heartbeats: Counter,
    /// Events that a deeper re-scan found and the regular windows had missed.
    pub late_hits: Counter,
    /// Batches that the pipeline did not commit.
    pub not_committed: Counter,
    /// Messages or objects in work.
    pub in_flight: Counter,
    errors: [Counter; FailureClass::ALL.len()],
    last_success: Moment,
    newest_event: Moment,
    checkpoint: Moment,
    settle_micros: Counter,
}

impl SourceMetrics {
    /// A call failed.
    pub fn failed(&self, class: FailureClass) {
        self.errors[index_of(class)].add(1);
    }

    /// Failed calls of a class, whatever wait a throttled one asked for.
    pub fn errors(&self, class: FailureClass) -> u64 {
        self.errors[index_of(class)].get()
    }

    /// A call succeeded.
    pub fn succeeded(&self, now: Timestamp) {
        self.last_success.later(now);
    }

    /// When a call last succeeded.
    pub fn last_success(&self) -> Option<Timestamp> {
        self.last_success.get()
    }

    /// An event of this time was committed.
    pub fn saw_event(&self, time: Timestamp) {
        self.newest_event.later(time);
    }

    /// The time of the newest committed event.
    pub fn newest_event(&self) -> Option<Timestamp> {
        self.newest_event.get()
    }

    /// The position moved: everything older was seen, as far as the source can be trusted to be on time.
    pub fn checkpointed(&self, floor: Timestamp, settle: Duration) {
        self.checkpoint.later(floor);
        self.settle_micros
            .set(u64::try_from(settle.as_micros()).unwrap_or(u64::MAX));
    }

    /// The stored position, for sources that are read by windows.
    pub fn checkpoint(&self) -> Option<Timestamp> {
        self.checkpoint.get()
    }

    /// How far the position is held behind the present; it grows with measured lateness.
    pub fn settle(&self) -> Duration {
        Duration::from_micros(self.settle_micros.get())
    }
}

fn index_of(class: FailureClass) -> usize {
    match class {
        FailureClass::Throttled(_) => 0,
        FailureClass::Transient => 1,
        FailureClass::Denied => 2,
        FailureClass::Unauthenticated => 3,
        FailureClass::NotFound => 4,
        FailureClass::Permanent => 5,
        FailureClass::Unreadable => 6,
    }
}

/// One number.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Counts one more for as long as the guard lives: for numbers of things in work.
    pub(crate) fn hold(&self) -> Held<'_> {
        self.add(1);
        Held(self)
    }
}

/// One thing in work.
pub(crate) struct Held<'a>(&'a Counter);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The latest of several points in time.
#[derive(Debug)]
struct Moment(AtomicI64);

impl Default for Moment {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Moment {
    fn later(&self, time: Timestamp) {
        self.0.fetch_max(time.as_micros(), Ordering::Relaxed);
    }

    fn get(&self) -> Option<Timestamp> {
        let micros = self.0.load(Ordering::Relaxed);
        (micros != i64::MIN).then(|| Timestamp::from_micros(micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_counted_apart() {
        let metrics = SourceMetrics::default();
        for (count, class) in FailureClass::ALL.into_iter().enumerate() {
            for _ in 0..=count {
                metrics.failed(class);
            }
        }
        for (count, class) in FailureClass::ALL.into_iter().enumerate() {
            assert_eq!(metrics.errors(class), count as u64 + 1, "{class:?}");
        }
        metrics.failed(FailureClass::Throttled(Some(Duration::from_secs(9))));
        assert_eq!(metrics.errors(FailureClass::Throttled(None)), 2);
    }

    #[test]
    fn points_in_time_only_move_forward() {
        let metrics = SourceMetrics::default();
        assert_eq!(metrics.newest_event(), None);
        metrics.saw_event(Timestamp::from_secs(20));
        metrics.saw_event(Timestamp::from_secs(10));
        assert_eq!(metrics.newest_event(), Some(Timestamp::from_secs(20)));
    }

    #[test]
    fn what_is_held_is_given_back() {
        let counter = Counter::default();
        {
            let _one = counter.hold();
            assert_eq!(counter.get(), 1);
        }
        assert_eq!(counter.get(), 0);
    }
}
