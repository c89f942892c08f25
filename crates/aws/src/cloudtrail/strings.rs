//! Shares the strings that come again in record after record (accounts, roles, keys), instead of allocating each anew.

use std::sync::Arc;

/// A small cache of shared strings: one slot for each hash, the newest string wins. It never grows.
pub(crate) struct Strings {
    slots: Vec<Option<Arc<str>>>,
}

/// A power of two.
const SLOTS: usize = 1024;

/// Longer strings hardly ever come again.
const LONGEST: usize = 256;

impl Strings {
    pub(crate) fn new() -> Self {
        Self {
            slots: vec![None; SLOTS],
        }
    }

    /// The text, shared with whoever had it last.
    pub(crate) fn get(&mut self, text: &str) -> Arc<str> {
        if text.len() > LONGEST {
            return Arc::from(text);
        }
        let Some(slot) = self.slots.get_mut(slot_of(text.as_bytes())) else {
            return Arc::from(text);
        };
        match slot {
            Some(known) if **known == *text => known.clone(),
            _ => slot.insert(Arc::from(text)).clone(),
        }
    }
}

/// Names differ at their end (ARNs) and in length; collisions only cost an allocation.
fn slot_of(text: &[u8]) -> usize {
    let mut hash = text.len() as u64;
    for chunk in text.rchunks(8).take(3) {
        let mut word = [0; 8];
        if let Some(target) = word.get_mut(..chunk.len()) {
            target.copy_from_slice(chunk);
        }
        hash = (hash.rotate_left(23) ^ u64::from_le_bytes(word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    (hash >> 54) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_and_different_ones_stay_different() {
        let mut strings = Strings::new();
        for round in 0..3 {
            for number in 0..5_000 {
                let text = format!("arn:aws:iam::{number:012}:role/app");
                assert_eq!(&*strings.get(&text), text, "{round}");
            }
        }
        let first = strings.get("kms.amazonaws.com");
        assert!(Arc::ptr_eq(&first, &strings.get("kms.amazonaws.com")));
        assert_eq!(&*strings.get(&"x".repeat(1000)), "x".repeat(1000));
        assert_eq!(&*strings.get(""), "");
    }
}
