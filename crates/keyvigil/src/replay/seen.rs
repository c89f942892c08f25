//! Which events a replay has seen, in bounded memory.

use std::collections::HashSet;

use keyvigil_model::id::DedupeKey;

/// A generation holds this many keys. Two generations take at most about 40 MB and cover corpora of about ten million
/// records (one in ten of which concerns a key); beyond that the oldest keys are forgotten.
const GENERATION: usize = 500_000;

/// The keys of the latest events.
#[derive(Default)]
pub(super) struct Seen {
    young: HashSet<DedupeKey>,
    old: HashSet<DedupeKey>,
}

impl Seen {
    /// Whether the key was not seen before; from now on it was.
    pub(super) fn is_new(&mut self, key: DedupeKey) -> bool {
        if self.old.contains(&key) || !self.young.insert(key) {
            return false;
        }
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_the_last_generation_are_still_known() {
        let mut seen = Seen::default();
        let key = |number: u64| DedupeKey::of(&[&number.to_le_bytes()]);
        for number in 0..GENERATION as u64 + 10 {
            assert!(seen.is_new(key(number)), "{number}");
        }
        assert!(!seen.is_new(key(0)), "the old generation is still there");
        assert!(!seen.is_new(key(GENERATION as u64 + 5)));
    }
}
