//! When each source last spoke, and what keyvigil could not see.

use serde::{Deserialize, Serialize};

use crate::state::table::Row;

/// The speech of one source for one account and region. Times are the driver's, not the events': a silent source
/// is one from which nothing arrives.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Heard {
    /// The source.
    pub source: Box<str>,
    /// The provider's word.
    pub provider: Box<str>,
    /// The account.
    pub account: Box<str>,
    /// The region.
    pub region: Box<str>,
    /// All records.
    pub any: Pulse,
    /// Records of key services.
    pub keys: Pulse,
}

impl Row for Heard {
    fn last(&self) -> i64 {
        self.any.last
    }
}

/// One rhythm of arrivals.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct Pulse {
    /// The first arrival, microseconds; 0: never.
    pub first: i64,
    /// The last arrival, microseconds.
    pub last: i64,
    /// Arrivals, saturating.
    pub times: u32,
    /// The longest pause of the recent past, microseconds. Each later pause lets it fade by one part in 256.
    pub pause: i64,
    /// Whether its silence was reported.
    pub silent: bool,
}

impl Pulse {
    /// Notes an arrival.
    pub fn beat(&mut self, now: i64) {
        if self.first == 0 {
            self.first = now;
        } else {
            let pause = now.saturating_sub(self.last).max(0);
            self.pause = pause.max(self.pause - self.pause / 256);
        }
        self.last = self.last.max(now);
        self.times = self.times.saturating_add(1);
    }
}

/// A call that keyvigil could not make.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Sight {
    /// Since when, microseconds of the driver's clock.
    pub since: i64,
    /// The last time it failed.
    pub last: i64,
    /// Times in a row.
    pub times: u32,
    /// Whether it was reported.
    pub reported: bool,
    /// The finding's fingerprint, to clear it.
    pub fingerprint: [u8; 16],
}

impl Row for Sight {
    fn last(&self) -> i64 {
        self.last
    }
}
