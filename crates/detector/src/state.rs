//! What the detector remembers: typed tables in memory whose changes leave with every step.
//!
//! Every table has a cap and drops what was longest unused; the caps are constants beside the tables, and together
//! they bound the memory at about 80 MB. Times are event times, so a replay builds the same state as a live run.

pub mod coverage;
pub mod first_seen;
pub mod marks;
pub mod open;
pub mod rate;
pub mod table;
pub mod window;

use keyvigil_model::id::{AccountId, hash_parts};
use keyvigil_model::provider::Provider;
use keyvigil_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::step::{SavedState, StateProblem};
use coverage::{Heard, Sight};
use first_seen::FirstSeen;
use marks::{Cuts, LastUse, Rotated, Shared, Suspect};
use open::{Judged, MAX_VERDICTS, OpenFindings};
use rate::Rates;
use table::{Changes, Load, Row, Table};
use window::Windows;

/// Identifies a row: 128 bits of SHA-256, so that nobody can choose a name that collides with another's.
pub type Hash = [u8; 16];

/// Hashes one text into a row's identity.
pub fn hash(text: &str) -> Hash {
    hash_parts(&[text.as_bytes()])
}

/// Hashes several texts; their boundaries matter.
pub fn hash_all(texts: &[&str]) -> Hash {
    let parts: Vec<_> = texts.iter().map(|text| text.as_bytes()).collect();
    hash_parts(&parts)
}

/// Joins two identities: half of each, 64 bits that nobody can aim at.
pub fn tagged(left: &Hash, right: &Hash) -> Hash {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&left[..8]);
    id[8..].copy_from_slice(&right[..8]);
    id
}

/// When an account was first seen: its learning starts there.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Account {
    since: i64,
}

impl Row for Account {
    fn last(&self) -> i64 {
        i64::MAX
    }
}

/// Single facts about the run as a whole.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Clock {
    /// The newest event time, never later than the clock when it was seen.
    watermark: i64,
    /// The driver's time of the last tick.
    ticked: i64,
    /// When keyvigil last came back after a break.
    resumed: i64,
    /// When old rows were last dropped.
    swept: i64,
}

impl Row for Clock {
    fn last(&self) -> i64 {
        i64::MAX
    }
}

/// Everything that is remembered.
pub struct State {
    /// Which principal used which key.
    pub key_use: FirstSeen,
    /// Which principal came from which source.
    pub sources: FirstSeen,
    /// Which principal did which kind of administrative action.
    pub habits: FirstSeen,
    /// Which bucket was written to under a caller's key.
    pub customer_key: FirstSeen,
    /// Counts in sliding windows, and sequences.
    pub windows: Windows,
    /// Rates of decryption.
    pub rates: Rates,
    /// Findings that are open.
    pub open: OpenFindings,
    /// The last verdict of each control on each resource.
    pub verdicts: Table<Judged>,
    /// Copies of cross-account calls that were already judged.
    pub shared: Table<Shared>,
    /// The last use of a key or secret by each principal.
    pub last_use: Table<LastUse>,
    /// Cuts of logging.
    pub cuts: Table<Cuts>,
    /// Keys that were brought in from outside and are watched for a ransom.
    pub suspects: Table<Suspect>,
    /// Rotations seen as events.
    pub rotated: Table<Rotated>,
    /// When each source last spoke.
    pub heard: Table<Heard>,
    /// What keyvigil cannot see.
    pub sight: Table<Sight>,
    accounts: Table<Account>,
    clock: Table<Clock>,
}

const CLOCK: Hash = [0; 16];
const DAY: i64 = 86_400_000_000;
/// A pause of the ticks longer than this means that keyvigil itself was away.
const BREAK: i64 = 10 * 60 * 1_000_000;

impl Default for State {
    fn default() -> Self {
        Self {
            key_use: FirstSeen::new("seen.key_use", 100_000),
            sources: FirstSeen::new("seen.source", 100_000),
            habits: FirstSeen::new("seen.habit", 50_000),
            customer_key: FirstSeen::new("seen.customer_key", 20_000),
            windows: Windows::new(),
            rates: Rates::new(),
            open: OpenFindings::new(),
            verdicts: Table::new("verdict", MAX_VERDICTS),
            shared: Table::new("shared", 20_000),
            last_use: Table::new("last_use", 20_000),
            cuts: Table::new("cut", 10_000),
            suspects: Table::new("suspect", 1_000),
            rotated: Table::new("rotated", 50_000),
            heard: Table::new("heard", 20_000),
            sight: Table::new("sight", 20_000),
            accounts: Table::new("account", 10_000),
            clock: Table::new("clock", 1),
        }
    }
}

impl State {
    /// Rebuilds the state from its saved rows. Rows that cannot be used are reported and left out.
    pub fn load(saved: impl IntoIterator<Item = SavedState>) -> (Self, Vec<StateProblem>) {
        let mut state = Self::default();
        let mut problems = Vec::new();
        for row in saved {
            if let Err(problem) = state.load_row(&row) {
                problems.push(StateProblem {
                    space: row.space,
                    key: row.key,
                    problem,
                });
            }
        }
        (state, problems)
    }

    fn load_row(&mut self, row: &SavedState) -> Result<(), String> {
        if row.space == open::FORGOTTEN {
            return self.open.forgotten.load(&row.key, &row.value);
        }
        let spaces: [(&str, &mut dyn Load); 18] = [
            ("seen.key_use", &mut self.key_use),
            ("seen.source", &mut self.sources),
            ("seen.habit", &mut self.habits),
            ("seen.customer_key", &mut self.customer_key),
            ("window", &mut self.windows),
            ("rate.now", &mut self.rates.now),
            ("rate.past", &mut self.rates.past),
            ("open", &mut self.open),
            ("shared", &mut self.shared),
            ("last_use", &mut self.last_use),
            ("cut", &mut self.cuts),
            ("suspect", &mut self.suspects),
            ("rotated", &mut self.rotated),
            ("heard", &mut self.heard),
            ("sight", &mut self.sight),
            ("account", &mut self.accounts),
            ("clock", &mut self.clock),
            ("verdict", &mut self.verdicts),
        ];
        for (space, table) in spaces {
            if space == row.space {
                return table.load(&row.key, &row.value);
            }
        }
        Err("no such table in this version".to_owned())
    }

    /// Hands out what changed since the last call, in a fixed order.
    pub fn flush(&mut self, out: &mut Changes<'_>) {
        self.key_use.flush(out);
        self.sources.flush(out);
        self.habits.flush(out);
        self.customer_key.flush(out);
        self.windows.flush(out);
        self.rates.flush(out);
        self.open.flush(out);
        self.verdicts.flush(out);
        self.shared.flush(out);
        self.last_use.flush(out);
        self.cuts.flush(out);
        self.suspects.flush(out);
        self.rotated.flush(out);
        self.heard.flush(out);
        self.sight.flush(out);
        self.accounts.flush(out);
        self.clock.flush(out);
    }

    fn clock_row(&mut self) -> &mut Clock {
        self.clock.entry(CLOCK, || Clock {
            watermark: 0,
            ticked: 0,
            resumed: 0,
            swept: 0,
        })
    }

    /// Notes that an account has an event of this time, and when its learning started.
    pub fn learning_since(&mut self, provider: Provider, account: &AccountId, at: Timestamp) -> Timestamp {
        let id = hash_all(&[provider.as_str(), account.as_str()]);
        let at = at.as_micros();
        match self.accounts.get(&id) {
            Some(row) if row.since <= at => Timestamp::from_micros(row.since),
            _ => {
                self.accounts.put(id, Account { since: at });
                Timestamp::from_micros(at)
            }
        }
    }

    /// Moves the watermark to the newest event time, but never past the clock: a date from the future must not
    /// make the present look old.
    pub fn advance(&mut self, newest: Timestamp, now: Timestamp) {
        let newest = newest.min(now).as_micros();
        let known = self.clock.get(&CLOCK).map_or(0, |clock| clock.watermark);
        // Saved once a minute at most: it only decides when old rows are dropped.
        if newest >= known + 60_000_000 {
            self.clock_row().watermark = newest;
        }
    }

    /// The newest event time, never later than the clock when it was seen; to the minute.
    pub fn watermark(&self) -> Timestamp {
        Timestamp::from_micros(self.clock.get(&CLOCK).map_or(0, |clock| clock.watermark))
    }

    /// Since when keyvigil has been running without a break.
    pub fn resumed(&self) -> Timestamp {
        Timestamp::from_micros(self.clock.get(&CLOCK).map_or(0, |clock| clock.resumed))
    }

    /// Notes a tick, and a break of keyvigil itself before it.
    pub fn tick(&mut self, now: Timestamp) {
        let now = now.as_micros();
        let clock = self.clock_row();
        if now > clock.ticked + BREAK {
            clock.resumed = now;
        }
        clock.ticked = now;
    }

    /// Drops what is too old to matter, at most once an hour of event time.
    pub fn sweep(&mut self) {
        let Some(clock) = self.clock.get(&CLOCK) else {
            return;
        };
        let watermark = clock.watermark;
        if watermark < clock.swept + DAY / 24 {
            return;
        }
        self.clock_row().swept = watermark;
        self.key_use.drop_before(watermark - 400 * DAY);
        self.sources.drop_before(watermark - 90 * DAY);
        self.habits.drop_before(watermark - 400 * DAY);
        self.customer_key.drop_before(watermark - 400 * DAY);
        self.windows.drop_before(watermark - 8 * DAY);
        self.rates.drop_before(watermark - 35 * DAY);
        self.open.drop_before(watermark - 30 * DAY);
        self.shared.drop_before(watermark - DAY);
        self.last_use.drop_before(watermark - DAY);
        self.cuts.drop_before(watermark - 8 * DAY);
        self.suspects.drop_before(watermark - 8 * DAY);
    }
}
