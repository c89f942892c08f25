//! A capped table of rows that knows which of them changed.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use keyvigil_model::id::Fingerprint;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::state::Hash;
use crate::step::StateChange;

/// A row of a [`Table`].
pub trait Row: Serialize + DeserializeOwned {
    /// When it last mattered, in microseconds of event time: the oldest rows are dropped first. `i64::MAX`: never.
    fn last(&self) -> i64;
}

/// Where changes go.
pub enum Changes<'a> {
    /// To whoever saves them.
    Saved(&'a mut Vec<StateChange>),
    /// Nowhere: this state ends with the process.
    Dropped,
}

/// Something that takes a saved row back.
pub trait Load {
    /// Takes it; the error says what is wrong with it.
    fn load(&mut self, key: &str, value: &[u8]) -> Result<(), String>;
}

/// A table of at most `cap` rows.
pub struct Table<R> {
    space: &'static str,
    cap: usize,
    rows: HashMap<Hash, R>,
    changed: BTreeSet<Hash>,
}

impl<R: Row> Table<R> {
    /// An empty table that saves under the name `space`.
    pub fn new(space: &'static str, cap: usize) -> Self {
        Self {
            space,
            cap,
            rows: HashMap::new(),
            changed: BTreeSet::new(),
        }
    }

    /// The row.
    pub fn get(&self, id: &Hash) -> Option<&R> {
        self.rows.get(id)
    }

    /// The row, to be changed.
    pub fn get_mut(&mut self, id: &Hash) -> Option<&mut R> {
        let row = self.rows.get_mut(id)?;
        self.changed.insert(*id);
        Some(row)
    }

    /// The row, to be changed; made if it is not there.
    pub fn entry(&mut self, id: Hash, make: impl FnOnce() -> R) -> &mut R {
        self.make_room(&id);
        self.changed.insert(id);
        match self.rows.entry(id) {
            Entry::Occupied(slot) => slot.into_mut(),
            Entry::Vacant(slot) => slot.insert(make()),
        }
    }

    /// Sets the row.
    pub fn put(&mut self, id: Hash, row: R) {
        self.make_room(&id);
        self.changed.insert(id);
        self.rows.insert(id, row);
    }

    /// Removes the row.
    pub fn remove(&mut self, id: &Hash) -> Option<R> {
        let row = self.rows.remove(id)?;
        self.changed.insert(*id);
        Some(row)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Every row, in an order that does not depend on the process.
    pub fn sorted(&self) -> Vec<(Hash, &R)> {
        let mut rows: Vec<_> = self.rows.iter().map(|(id, row)| (*id, row)).collect();
        rows.sort_unstable_by_key(|(id, _)| *id);
        rows
    }

    /// Every row, in no order.
    pub fn values(&self) -> impl Iterator<Item = (&Hash, &R)> {
        self.rows.iter()
    }

    /// Removes the rows that last mattered before `time` and hands them out.
    pub fn drop_before(&mut self, time: i64) -> Vec<(Hash, R)> {
        let old: Vec<_> = self
            .rows
            .iter()
            .filter(|(_, row)| row.last() < time)
            .map(|(id, _)| *id)
            .collect();
        self.take(old)
    }

    fn take(&mut self, ids: Vec<Hash>) -> Vec<(Hash, R)> {
        ids.into_iter()
            .filter_map(|id| self.remove(&id).map(|row| (id, row)))
            .collect()
    }

    /// Makes room for one more row: a sixteenth of a full table goes at once, so that a flood of new rows does not
    /// cost a scan each.
    fn make_room(&mut self, id: &Hash) {
        if self.rows.len() < self.cap || self.rows.contains_key(id) {
            return;
        }
        drop(self.evict());
    }

    /// Whether one more row would push others out.
    pub fn is_full(&self) -> bool {
        self.rows.len() >= self.cap
    }

    /// Removes the sixteenth of the rows that is longest unused and hands it out.
    pub fn evict(&mut self) -> Vec<(Hash, R)> {
        let mut ages: Vec<_> = self.rows.iter().map(|(id, row)| (row.last(), *id)).collect();
        ages.sort_unstable();
        ages.truncate((self.cap / 16).max(1));
        self.take(ages.into_iter().map(|(_, id)| id).collect())
    }

    /// Hands out the changes since the last call.
    pub fn flush(&mut self, out: &mut Changes<'_>) {
        let Changes::Saved(out) = out else {
            self.changed.clear();
            return;
        };
        for id in std::mem::take(&mut self.changed) {
            let value = self.rows.get(&id).map(|row| {
                serde_json::to_vec(row)
                    .expect("rows are plain structs of numbers and text, which JSON can hold")
            });
            out.push(StateChange {
                space: self.space,
                key: hex(&id),
                value,
            });
        }
    }

    /// Takes a saved row back and says which one it was.
    pub fn restore(&mut self, key: &str, value: &[u8]) -> Result<Hash, String> {
        let id = Fingerprint::from_hex(key)
            .ok_or("its key is not 32 hexadecimal digits")?
            .0;
        let row =
            serde_json::from_slice(value).map_err(|error| format!("its content cannot be read: {error}"))?;
        self.rows.insert(id, row);
        Ok(id)
    }
}

/// As `Fingerprint` prints it, without the formatting machinery: every saved row needs one.
fn hex(id: &Hash) -> String {
    let mut text = String::with_capacity(32);
    for byte in id {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).expect("four bits are a hexadecimal digit"));
        }
    }
    text
}

impl<R: Row> Load for Table<R> {
    fn load(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        self.restore(key, value).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_names_are_fingerprints() {
        let id = crate::state::hash("x");
        assert_eq!(hex(&id), Fingerprint(id).to_string());
    }
}
