//! What is remembered of alerts that are over: their episode, so that a reopening gets a new one.

use std::collections::{HashMap, VecDeque};

use keyvigil_model::id::Fingerprint;
use keyvigil_model::time::Timestamp;

/// Ended alerts of which the episode is remembered one by one.
const REMEMBERED: usize = 100_000;

/// The end of an alert.
#[derive(Clone, Copy, Debug)]
struct Ended {
    episode: u32,
    at: Option<Timestamp>,
}

/// Ended alerts, bounded: of the oldest only the highest episode is kept, as a floor for all that are unknown.
#[derive(Default, Debug)]
pub(crate) struct ClosedAlerts {
    ended: HashMap<Fingerprint, Ended>,
    order: VecDeque<Fingerprint>,
    floor: u32,
}

impl ClosedAlerts {
    /// Remembers that an episode is over; `at` is `None` where the time is not known (after a restart).
    pub(crate) fn remember(&mut self, fingerprint: Fingerprint, episode: u32, at: Option<Timestamp>) {
        let known = self.ended.get(&fingerprint).map_or(0, |ended| ended.episode);
        if known == 0 {
            self.order.push_back(fingerprint);
        }
        if episode >= known {
            self.ended.insert(fingerprint, Ended { episode, at });
        }
        while self.order.len() > REMEMBERED {
            let oldest = self.order.pop_front();
            if let Some(forgotten) = oldest.and_then(|oldest| self.ended.remove(&oldest)) {
                // An episode number used twice would be taken for a repeat of what is over, so err upwards.
                self.floor = self.floor.max(forgotten.episode);
            }
        }
    }

    /// The episode of the next opening, and when the last one ended, where that is known.
    pub(crate) fn reopen(&mut self, fingerprint: Fingerprint) -> (u32, Option<Timestamp>) {
        match self.ended.get(&fingerprint) {
            Some(ended) => (ended.episode.saturating_add(1), ended.at),
            None => (self.floor.saturating_add(1), None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forgotten_alert_never_gets_an_episode_again() {
        let mut closed = ClosedAlerts::default();
        let print = |number: usize| Fingerprint::of(&[&number.to_le_bytes()]);
        closed.remember(print(0), 7, None);
        for number in 1..=REMEMBERED {
            closed.remember(print(number), 1, Some(Timestamp::EPOCH));
        }
        assert_eq!(closed.ended.len(), REMEMBERED);
        assert_eq!(closed.reopen(print(0)), (8, None));
        assert_eq!(closed.reopen(print(5)), (2, Some(Timestamp::EPOCH)));
    }
}
