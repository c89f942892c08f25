//! Which findings are open, so that repeats fold, floods stay bounded and a repair closes what it repairs.

use std::collections::HashMap;

use keyvigil_model::severity::Severity;
use serde::{Deserialize, Serialize};

use crate::state::table::{Changes, Load, Row, Table};
use crate::state::{Hash, hash_all};

/// The table of findings that were dropped while they were open.
pub(super) const FORGOTTEN: &str = "open.forgotten";
/// Open findings at most, and forgotten ones; about 250 bytes each.
const MAX_OPEN: usize = 20_000;
/// Verdicts at most; about 100 bytes each.
pub const MAX_VERDICTS: usize = 100_000;
/// Of one rule in one account, at most so many findings whose subject a caller could name freely.
pub const MAX_CHOSEN: u32 = 50;

/// What is known of a finding by its fingerprint.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Open {
    /// The rule.
    pub rule: Box<str>,
    /// The account.
    pub account: Box<str>,
    /// Where it stands.
    pub state: Standing,
    /// Event time of its last occurrence, microseconds.
    pub at: i64,
    /// Event time of the last occurrence that was reported.
    pub told: i64,
    /// The highest severity that was reported, as its place in [`Severity::ALL`].
    pub severity: u8,
    /// Its subject has a name that a caller chose.
    pub chosen: bool,
    /// A control fails on the same subject: then, and only then, its passing clears the finding.
    pub confirmed: bool,
}

/// Where a finding stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Standing {
    /// Reported.
    Open,
    /// Found, but suppressed.
    Suppressed,
    /// Undone at this time by somebody, perhaps before the record of the deed arrived.
    Reverted {
        /// Event time of the repair, microseconds.
        at: i64,
        /// Who.
        by: Box<str>,
    },
}

impl Row for Open {
    fn last(&self) -> i64 {
        // What a control holds open goes when the control passes, not by age.
        if self.confirmed { i64::MAX } else { self.at }
    }
}

impl Open {
    /// The severity as the place in [`Severity::ALL`].
    pub fn rank(severity: Severity) -> u8 {
        Severity::ALL
            .iter()
            .position(|known| *known == severity)
            .unwrap_or(0) as u8
    }
}

/// The last verdict of a control on a resource.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Judged {
    /// A hash of verdict and observation: anything else is a change.
    pub content: Hash,
    /// The finding that it holds open, while it fails.
    pub finding: Option<Hash>,
    /// Whether the control raised that finding itself; otherwise it confirmed one that an event raised.
    pub own: bool,
}

impl Row for Judged {
    fn last(&self) -> i64 {
        i64::MAX
    }
}

/// A finding that was dropped while it was open, by age or for want of room: its alert may still be open.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Forgotten {
    /// Event time of its last occurrence, microseconds.
    at: i64,
}

impl Row for Forgotten {
    fn last(&self) -> i64 {
        self.at
    }
}

/// All open findings.
pub struct OpenFindings {
    table: Table<Open>,
    /// What a repair must still close.
    pub(super) forgotten: Table<Forgotten>,
    chosen: HashMap<Hash, u32>,
}

impl OpenFindings {
    /// None yet.
    pub fn new() -> Self {
        Self {
            table: Table::new("open", MAX_OPEN),
            forgotten: Table::new(FORGOTTEN, MAX_OPEN),
            chosen: HashMap::new(),
        }
    }

    /// What is known of a fingerprint.
    pub fn get(&self, id: &Hash) -> Option<&Open> {
        self.table.get(id)
    }

    /// Notes that a control fails on the subject of an open finding.
    pub fn confirm(&mut self, id: &Hash) {
        if self.table.get(id).is_some_and(|open| !open.confirmed)
            && let Some(open) = self.table.get_mut(id)
        {
            open.confirmed = true;
        }
    }

    /// Sets what is known of a fingerprint.
    pub fn put(&mut self, id: Hash, open: Open) {
        if self.table.is_full() && self.table.get(&id).is_none() {
            let gone = self.table.evict();
            self.forget(&gone);
        }
        if open.state == Standing::Open {
            self.forgotten.remove(&id);
        }
        self.count(&open, 1);
        let before = self.table.remove(&id);
        self.table.put(id, open);
        if let Some(before) = before {
            self.count(&before, -1);
        }
    }

    /// Forgets a finding that is over. Returns whether it was open.
    pub fn close(&mut self, id: &Hash) -> bool {
        if self.forgotten.remove(id).is_some() && self.table.get(id).is_none() {
            return true;
        }
        if self.table.get(id).is_none_or(|open| open.state != Standing::Open) {
            return false;
        }
        if let Some(open) = self.table.remove(id) {
            self.count(&open, -1);
        }
        true
    }

    /// Whether one more finding of this rule, with a subject named by a caller, would be too many.
    pub fn is_flooded(&self, rule: &str, account: &str) -> bool {
        self.chosen
            .get(&hash_all(&[rule, account]))
            .is_some_and(|count| *count >= MAX_CHOSEN)
    }

    /// Forgets findings that last occurred before `time`.
    pub fn drop_before(&mut self, time: i64) {
        let gone = self.table.drop_before(time);
        self.forget(&gone);
    }

    /// Whether the finding was dropped while it was open, and last occurred before `time`. Says so once.
    pub fn take_forgotten(&mut self, id: &Hash, time: i64) -> bool {
        let is_over = self.forgotten.get(id).is_some_and(|gone| gone.at <= time);
        is_over && self.forgotten.remove(id).is_some()
    }

    fn forget(&mut self, gone: &[(Hash, Open)]) {
        for (id, open) in gone {
            self.count(open, -1);
            if open.state == Standing::Open {
                self.forgotten.put(*id, Forgotten { at: open.at });
            }
        }
    }

    fn count(&mut self, open: &Open, by: i32) {
        if open.chosen && open.state == Standing::Open {
            let count = self
                .chosen
                .entry(hash_all(&[&open.rule, &open.account]))
                .or_default();
            *count = count.saturating_add_signed(by);
        }
    }

    /// Hands out the changes since the last call.
    pub fn flush(&mut self, out: &mut Changes<'_>) {
        self.table.flush(out);
        self.forgotten.flush(out);
    }
}

impl Default for OpenFindings {
    fn default() -> Self {
        Self::new()
    }
}

impl Load for OpenFindings {
    fn load(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        let id = self.table.restore(key, value)?;
        let open = self.table.get(&id).cloned();
        if let Some(open) = open {
            self.count(&open, 1);
        }
        Ok(())
    }
}
