//! Counts in sliding windows of event time, and the steps of sequences.

use std::time::Duration;

use keyvigil_model::id::EventId;
use keyvigil_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::state::Hash;
use crate::state::table::{Changes, Load, Row, Table};

/// A window keeps at most so many marks; thresholds are at most 50.
const MAX_MARKS: usize = 64;
/// So many windows at most.
const MAX_WINDOWS: usize = 10_000;
/// Records may arrive so late.
pub const LATENESS: Duration = Duration::from_secs(30 * 60);

/// One thing that happened.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// When, in microseconds.
    pub at: i64,
    /// What is counted as distinct: a key, a secret, a step.
    pub tag: u64,
    /// The record.
    pub event: Box<str>,
}

/// The marks of one group.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct Window {
    /// In order of time.
    marks: Vec<Mark>,
    /// The time of the last alarm.
    alarmed_at: i64,
    /// How many were counted in it.
    alarmed: u32,
}

impl Row for Window {
    fn last(&self) -> i64 {
        self.marks.last().map_or(i64::MIN, |mark| mark.at)
    }
}

/// Whether the same thing counts again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Count {
    /// Every mark counts.
    Every,
    /// A tag counts once.
    Distinct,
}

/// The fullest window that holds the new mark.
#[derive(Clone, PartialEq, Debug)]
pub struct Full {
    /// Its marks, oldest first.
    pub marks: Vec<Mark>,
    /// Distinct tags among them.
    pub distinct: usize,
}

impl Full {
    /// The records, oldest first.
    pub fn events(&self) -> Vec<EventId> {
        self.marks
            .iter()
            .map(|mark| EventId::from(&*mark.event))
            .collect()
    }

    /// The time of the oldest mark.
    pub fn start(&self) -> Timestamp {
        Timestamp::from_micros(self.marks.first().map_or(0, |mark| mark.at))
    }
}

/// All windows.
pub struct Windows {
    table: Table<Window>,
}

impl Windows {
    /// None yet.
    pub fn new() -> Self {
        Self {
            table: Table::new("window", MAX_WINDOWS),
        }
    }

    /// Adds a mark to a group and returns the fullest window of length `span` around it.
    pub fn add(&mut self, group: Hash, mark: Mark, span: Duration, count: Count) -> Full {
        let at = mark.at;
        let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        let window = self.table.entry(group, Window::default);
        window.insert(mark, count);
        window.trim(span.saturating_add(LATENESS.as_micros() as i64));
        window.fullest(at, span)
    }

    /// Whether a full window is news: the first one, or twice as full as the last, or another one later.
    pub fn alarm(&mut self, group: Hash, full: &Full, span: Duration) -> bool {
        let Some(window) = self.table.get_mut(&group) else {
            return false;
        };
        let at = full.marks.last().map_or(0, |mark| mark.at);
        let count = u32::try_from(full.marks.len()).unwrap_or(u32::MAX);
        let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        let over = window.alarmed == 0 || at.abs_diff(window.alarmed_at) > span.unsigned_abs();
        if over || count >= window.alarmed.saturating_mul(2) {
            window.alarmed_at = at;
            window.alarmed = count;
            return true;
        }
        false
    }

    /// Forgets the groups whose last mark is before `time`.
    pub fn drop_before(&mut self, time: i64) {
        self.table.drop_before(time);
    }

    /// Hands out the changes since the last call.
    pub fn flush(&mut self, out: &mut Changes<'_>) {
        self.table.flush(out);
    }
}

impl Default for Windows {
    fn default() -> Self {
        Self::new()
    }
}

impl Load for Windows {
    fn load(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        self.table.load(key, value)
    }
}

impl Window {
    fn insert(&mut self, mark: Mark, count: Count) {
        // The same record twice (a correction of it, a second delivery) is one mark.
        if self
            .marks
            .iter()
            .any(|known| known.event == mark.event && known.tag == mark.tag)
        {
            return;
        }
        if count == Count::Distinct
            && let Some(known) = self.marks.iter().position(|known| known.tag == mark.tag)
        {
            if self.marks[known].at >= mark.at {
                return;
            }
            self.marks.remove(known);
        }
        let place = self.marks.partition_point(|known| *known < mark);
        self.marks.insert(place, mark);
    }

    fn trim(&mut self, keep: i64) {
        let newest = self.last();
        self.marks.retain(|mark| newest.saturating_sub(mark.at) <= keep);
        if self.marks.len() > MAX_MARKS {
            let extra = self.marks.len() - MAX_MARKS;
            self.marks.drain(..extra);
        }
    }

    /// Of all windows of length `span` that hold the instant `at`, the one with most marks; the earliest of equals.
    fn fullest(&self, at: i64, span: i64) -> Full {
        let mut best: &[Mark] = &[];
        for (first, mark) in self.marks.iter().enumerate() {
            if mark.at > at {
                break;
            }
            if at - mark.at > span {
                continue;
            }
            let end = self.marks.partition_point(|other| other.at - mark.at <= span);
            if end - first > best.len() {
                best = &self.marks[first..end];
            }
        }
        let mut tags: Vec<_> = best.iter().map(|mark| mark.tag).collect();
        tags.sort_unstable();
        tags.dedup();
        Full {
            marks: best.to_vec(),
            distinct: tags.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::hash;

    const MINUTE: Duration = Duration::from_secs(60);

    fn mark(seconds: i64, tag: u64) -> Mark {
        Mark {
            at: seconds * 1_000_000,
            tag,
            event: format!("{seconds}-{tag}").into(),
        }
    }

    fn fill(count: Count, marks: &[(i64, u64)]) -> (usize, usize) {
        let mut windows = Windows::new();
        let mut full = Full {
            marks: Vec::new(),
            distinct: 0,
        };
        for (seconds, tag) in marks {
            full = windows.add(hash("g"), mark(*seconds, *tag), MINUTE, count);
        }
        (full.marks.len(), full.distinct)
    }

    #[test]
    fn counts_do_not_depend_on_arrival() {
        assert_eq!(fill(Count::Every, &[(0, 1), (30, 2), (60, 3)]), (3, 3));
        assert_eq!(fill(Count::Every, &[(60, 3), (0, 1), (30, 2)]), (3, 3));
        assert_eq!(fill(Count::Every, &[(0, 1), (30, 2), (61, 3)]), (2, 2));
        assert_eq!(fill(Count::Every, &[(0, 1), (30, 1), (31, 2)]), (3, 2));
        assert_eq!(fill(Count::Distinct, &[(0, 1), (30, 1), (31, 2)]), (2, 2));
        assert_eq!(fill(Count::Every, &[(5, 1), (5, 1)]), (1, 1), "the same record");
    }

    #[test]
    fn an_alarm_repeats_when_it_doubles_or_later() {
        let mut windows = Windows::new();
        let mut alarms = Vec::new();
        for (n, seconds) in [0, 1, 2, 3, 4, 5, 200, 201, 202].into_iter().enumerate() {
            let full = windows.add(hash("g"), mark(seconds, n as u64), MINUTE, Count::Every);
            if full.marks.len() >= 3 && windows.alarm(hash("g"), &full, MINUTE) {
                alarms.push(seconds);
            }
        }
        assert_eq!(alarms, [2, 5, 202]);
    }
}
