//! Remembers which pairs were seen: principal and key, principal and source.

use std::collections::HashMap;
use std::time::Duration;

use keyvigil_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::state::table::{Changes, Load, Row, Table};
use crate::state::{Hash, tagged};

/// The last sighting moves at most once in so many microseconds, so that a busy pair is not saved with every event.
const GRAIN: i64 = 3_600_000_000;

/// When a pair was seen.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// First time, microseconds.
    pub first: i64,
    /// Last time, microseconds; up to an hour behind.
    pub last: i64,
    /// How often, counted once an hour at most.
    pub times: u32,
}

impl Row for Seen {
    fn last(&self) -> i64 {
        self.last
    }
}

/// What a sighting was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sighting {
    /// Never seen before.
    New,
    /// Seen, but longer ago than the rule remembers.
    Forgotten {
        /// The last time.
        last: Timestamp,
    },
    /// Seen recently.
    Known,
}

/// A table of pairs with counts from either side.
pub struct FirstSeen {
    table: Table<Seen>,
    left: HashMap<[u8; 8], u32>,
    right: HashMap<[u8; 8], u32>,
}

impl FirstSeen {
    /// An empty table.
    pub fn new(space: &'static str, cap: usize) -> Self {
        Self {
            table: Table::new(space, cap),
            left: HashMap::new(),
            right: HashMap::new(),
        }
    }

    /// Notes a sighting and says what it was. Arrival order does not matter: a late record of an earlier time
    /// moves the first sighting back.
    pub fn see(&mut self, left: &Hash, right: &Hash, at: Timestamp, remembered: Duration) -> Sighting {
        let id = tagged(left, right);
        let at = at.as_micros();
        let Some(seen) = self.table.get(&id) else {
            self.insert(
                id,
                Seen {
                    first: at,
                    last: at,
                    times: 1,
                },
            );
            return Sighting::New;
        };
        let (first, last) = (seen.first, seen.last);
        if at >= last + GRAIN || at < first {
            let row = self.table.get_mut(&id).expect("it was there a moment ago");
            row.first = first.min(at);
            row.last = last.max(at);
            row.times = row.times.saturating_add(1);
        }
        let forgotten = i64::try_from(remembered.as_micros()).unwrap_or(i64::MAX);
        if at.saturating_sub(last) > forgotten {
            return Sighting::Forgotten {
                last: Timestamp::from_micros(last),
            };
        }
        Sighting::Known
    }

    /// Whether the pair was seen, without noting anything.
    pub fn known(&self, left: &Hash, right: &Hash) -> Option<&Seen> {
        self.table.get(&tagged(left, right))
    }

    /// With how many others the left side was seen.
    pub fn partners_of_left(&self, left: &Hash) -> u32 {
        self.left.get(half(left)).copied().unwrap_or(0)
    }

    /// With how many others the right side was seen.
    pub fn partners_of_right(&self, right: &Hash) -> u32 {
        self.right.get(half(right)).copied().unwrap_or(0)
    }

    fn insert(&mut self, id: Hash, seen: Seen) {
        if self.table.is_full() {
            let gone = self.table.evict();
            self.uncount(&gone);
        }
        self.table.put(id, seen);
        self.count(&id);
    }

    fn count(&mut self, id: &Hash) {
        let (left, right) = halves(id);
        *self.left.entry(left).or_default() += 1;
        *self.right.entry(right).or_default() += 1;
    }

    fn uncount(&mut self, gone: &[(Hash, Seen)]) {
        for (id, _) in gone {
            let (left, right) = halves(id);
            decrease(&mut self.left, left);
            decrease(&mut self.right, right);
        }
    }

    /// Forgets the pairs that were last seen before `time`.
    pub fn drop_before(&mut self, time: i64) {
        let gone = self.table.drop_before(time);
        self.uncount(&gone);
    }

    /// Hands out the changes since the last call.
    pub fn flush(&mut self, out: &mut Changes<'_>) {
        self.table.flush(out);
    }
}

impl Load for FirstSeen {
    fn load(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        let id = self.table.restore(key, value)?;
        self.count(&id);
        Ok(())
    }
}

fn half(hash: &Hash) -> &[u8; 8] {
    hash.first_chunk().expect("16 bytes hold 8")
}

fn halves(id: &Hash) -> ([u8; 8], [u8; 8]) {
    (*half(id), *id.last_chunk().expect("16 bytes hold 8"))
}

fn decrease(counts: &mut HashMap<[u8; 8], u32>, side: [u8; 8]) {
    if let Some(count) = counts.get_mut(&side) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&side);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::hash;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_secs(hours * 3600)
    }

    #[test]
    fn sightings_age_and_counts_follow() {
        let mut seen = FirstSeen::new("seen.key_use", 100);
        let month = Duration::from_secs(30 * 86_400);
        let (alice, key, other) = (hash("alice"), hash("k1"), hash("k2"));
        assert_eq!(seen.see(&alice, &key, at(0), month), Sighting::New);
        assert_eq!(seen.see(&alice, &key, at(1), month), Sighting::Known);
        assert_eq!(seen.see(&alice, &other, at(1), month), Sighting::New);
        assert_eq!(
            (seen.partners_of_left(&alice), seen.partners_of_right(&key)),
            (2, 1)
        );
        assert_eq!(
            seen.see(&alice, &key, at(1 + 31 * 24), month),
            Sighting::Forgotten { last: at(1) }
        );
        seen.drop_before(at(2).as_micros());
        assert_eq!(seen.partners_of_left(&alice), 1);
        assert_eq!(
            seen.see(&alice, &key, at(0), month),
            Sighting::Known,
            "a late record is not news"
        );
    }

    #[test]
    fn a_full_table_drops_the_longest_unseen() {
        let mut seen = FirstSeen::new("seen.key_use", 16);
        let year = Duration::from_secs(365 * 86_400);
        for n in 0..40 {
            seen.see(&hash("alice"), &hash(&format!("k{n}")), at(n), year);
        }
        assert_eq!(seen.partners_of_left(&hash("alice")), 16);
        assert_eq!(
            seen.see(&hash("alice"), &hash("k39"), at(40), year),
            Sighting::Known
        );
        assert_eq!(seen.see(&hash("alice"), &hash("k0"), at(40), year), Sighting::New);
    }
}
