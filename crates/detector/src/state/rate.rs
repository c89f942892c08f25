//! How often a pair did something in five minutes, and how often it usually does at this hour of the week.

use keyvigil_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::state::Hash;
use crate::state::table::{Changes, Row, Table};

/// The length of a bucket in microseconds.
const BUCKET: i64 = 300_000_000;
/// Buckets kept open for late records: two hours.
const OPEN_BUCKETS: usize = 24;
const BUCKETS_AN_HOUR: i64 = 12;
const HOURS_A_WEEK: i64 = 168;
/// Weeks of history.
const WEEKS: i64 = 4;
/// Pairs with counts at most; about 600 bytes each.
const MAX_NOW: usize = 20_000;
/// Pairs with history at most; up to 11 kB each when busy every hour of four weeks.
const MAX_PAST: usize = 2_000;

/// The counts of the last two hours of a pair.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct Recent {
    /// Bucket number and count, in order.
    #[serde(rename = "b", with = "steps")]
    buckets: Vec<(i64, u32)>,
    /// The hour being closed and its highest bucket.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    closing: Option<(i64, u32)>,
    /// The bucket of the last alarm and its count then.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    alarmed: Option<(i64, u32)>,
}

/// Saves numbered counts as one flat list of steps and counts: this row is the most frequent write of all.
mod steps {
    use serde::de::Error;
    use serde::ser::SerializeSeq;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(counts: &[(i64, u32)], serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(counts.len() * 2))?;
        let mut before = 0;
        for (number, count) in counts {
            list.serialize_element(&(number - before))?;
            list.serialize_element(count)?;
            before = *number;
        }
        list.end()
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(i64, u32)>, D::Error> {
        let flat: Vec<i64> = Vec::deserialize(deserializer)?;
        let mut counts = Vec::new();
        let mut number = 0i64;
        for pair in flat.chunks(2) {
            let [step, count] = pair else {
                return Err(D::Error::custom("a step without its count"));
            };
            number = number.saturating_add(*step);
            counts.push((number, u32::try_from(*count).map_err(D::Error::custom)?));
        }
        Ok(counts)
    }
}

impl Row for Recent {
    fn last(&self) -> i64 {
        self.buckets
            .last()
            .map_or(i64::MIN, |(bucket, _)| bucket.saturating_mul(BUCKET))
    }
}

/// The highest bucket of each hour in the last four weeks of a pair. Hours without any are left out.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct Past {
    /// The first hour of the history.
    since: i64,
    /// Hour number and highest count, in order.
    #[serde(with = "steps")]
    hours: Vec<(i64, u32)>,
}

impl Row for Past {
    fn last(&self) -> i64 {
        self.hours.last().map_or(i64::MIN, |(hour, _)| {
            hour.saturating_mul(BUCKET * BUCKETS_AN_HOUR)
        })
    }
}

/// What is usual for a pair at this hour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Usual {
    /// The median of the highest five-minute counts.
    pub median: u32,
    /// The median absolute deviation from it.
    pub deviation: u32,
    /// From how many hours it was computed.
    pub samples: usize,
}

/// All rates.
pub struct Rates {
    /// Recent counts.
    pub now: Table<Recent>,
    /// History.
    pub past: Table<Past>,
}

impl Rates {
    /// None yet.
    pub fn new() -> Self {
        Self {
            now: Table::new("rate.now", MAX_NOW),
            past: Table::new("rate.past", MAX_PAST),
        }
    }

    /// Counts one at `at` and returns how many the bucket has now.
    pub fn add(&mut self, pair: Hash, at: Timestamp) -> u32 {
        let bucket = at.as_micros().div_euclid(BUCKET);
        let recent = self.now.entry(pair, Recent::default);
        let place = recent.buckets.partition_point(|(known, _)| *known < bucket);
        let count = match recent.buckets.get_mut(place) {
            Some((known, count)) if *known == bucket => {
                *count = count.saturating_add(1);
                *count
            }
            _ => {
                recent.buckets.insert(place, (bucket, 1));
                1
            }
        };
        if recent.buckets.len() > OPEN_BUCKETS {
            let (bucket, count) = recent.buckets.remove(0);
            if let Some((hour, peak)) = recent.close(bucket.div_euclid(BUCKETS_AN_HOUR), count) {
                self.past
                    .entry(pair, || Past {
                        since: hour,
                        hours: Vec::new(),
                    })
                    .note(hour, peak);
            }
        }
        count
    }

    /// What is usual for the pair at the hour of `at`. `None`: there is not enough history.
    pub fn usual(&self, pair: &Hash, at: Timestamp) -> Option<Usual> {
        let past = self.past.get(pair)?;
        let hour = at.as_micros().div_euclid(BUCKET * BUCKETS_AN_HOUR);
        let mut samples: Vec<u32> = Vec::new();
        for week in 1..=WEEKS {
            let same = hour - week * HOURS_A_WEEK;
            if same > past.since {
                samples.push((same - 1..=same + 1).map(|near| past.at(near)).max().unwrap_or(0));
            }
        }
        if samples.len() < 3 {
            // Too young for weeks: compare with every hour in which it was busy at all.
            samples = past
                .hours
                .iter()
                .filter(|(known, _)| *known < hour)
                .map(|(_, peak)| *peak)
                .collect();
            if samples.len() < 24 {
                return None;
            }
        }
        let middle = median(&mut samples);
        let mut distances: Vec<_> = samples.iter().map(|sample| sample.abs_diff(middle)).collect();
        Some(Usual {
            median: middle,
            deviation: median(&mut distances),
            samples: samples.len(),
        })
    }

    /// Whether a bucket over the limit is news: the first time, and again when it doubles.
    pub fn alarm(&mut self, pair: &Hash, at: Timestamp, count: u32) -> bool {
        let bucket = at.as_micros().div_euclid(BUCKET);
        let Some(recent) = self.now.get_mut(pair) else {
            return false;
        };
        if let Some((known, told)) = recent.alarmed
            && known == bucket
            && count < told.saturating_mul(2)
        {
            return false;
        }
        recent.alarmed = Some((bucket, count));
        true
    }

    /// Forgets what was last busy before `time`.
    pub fn drop_before(&mut self, time: i64) {
        self.now.drop_before(time);
        self.past.drop_before(time);
    }

    /// Hands out the changes since the last call.
    pub fn flush(&mut self, out: &mut Changes<'_>) {
        self.now.flush(out);
        self.past.flush(out);
    }
}

impl Default for Rates {
    fn default() -> Self {
        Self::new()
    }
}

impl Recent {
    /// Adds a closed bucket to the hour being closed; hands out that hour when the next one begins.
    fn close(&mut self, hour: i64, count: u32) -> Option<(i64, u32)> {
        match self.closing {
            Some((open, peak)) if open == hour => {
                self.closing = Some((open, peak.max(count)));
                None
            }
            before => {
                self.closing = Some((hour, count));
                before
            }
        }
    }
}

impl Past {
    fn note(&mut self, hour: i64, peak: u32) {
        self.since = self.since.min(hour);
        let place = self.hours.partition_point(|(known, _)| *known < hour);
        match self.hours.get_mut(place) {
            Some((known, highest)) if *known == hour => *highest = (*highest).max(peak),
            _ => self.hours.insert(place, (hour, peak)),
        }
        let newest = self.hours.last().map_or(hour, |(newest, _)| *newest);
        self.hours
            .retain(|(known, _)| newest - known <= WEEKS * HOURS_A_WEEK + 1);
    }

    fn at(&self, hour: i64) -> u32 {
        self.hours
            .binary_search_by_key(&hour, |(known, _)| *known)
            .map_or(0, |place| self.hours[place].1)
    }
}

/// The upper median; 0 for none.
fn median(values: &mut [u32]) -> u32 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::hash;

    fn hour(hour: i64) -> Timestamp {
        Timestamp::from_secs(hour * 3600)
    }

    #[test]
    fn a_weekly_rhythm_is_learned_from_its_own_hour() {
        let mut rates = Rates::new();
        let pair = hash("p");
        // Five weeks: 100 in the first bucket of hour 2 of every day, 5 in every other hour.
        for now in 0..5 * HOURS_A_WEEK {
            for _ in 0..if now % 24 == 2 { 100 } else { 5 } {
                rates.add(pair, hour(now));
            }
        }
        let busy = rates.usual(&pair, hour(4 * HOURS_A_WEEK + 24 + 2)).unwrap();
        assert_eq!((busy.median, busy.deviation), (100, 0));
        let quiet = rates.usual(&pair, hour(4 * HOURS_A_WEEK + 24 + 12)).unwrap();
        assert_eq!((quiet.median, quiet.deviation), (5, 0));
        assert_eq!(rates.usual(&hash("other"), hour(0)), None);
    }

    #[test]
    fn late_records_count_in_their_own_bucket() {
        let mut rates = Rates::new();
        let pair = hash("p");
        let minute = |n: i64| Timestamp::from_secs(n * 60);
        assert_eq!(rates.add(pair, minute(10)), 1);
        assert_eq!(rates.add(pair, minute(1)), 1);
        assert_eq!(rates.add(pair, minute(11)), 2);
        assert!(rates.alarm(&pair, minute(11), 2));
        assert!(!rates.alarm(&pair, minute(11), 3));
        assert!(rates.alarm(&pair, minute(11), 4));
    }
}
