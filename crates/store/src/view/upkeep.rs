//! What housekeeping is told and tells.

use std::time::Duration;

use crate::commit::AuditRow;

/// What the database takes on disk, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StoreSize {
    /// The database file.
    pub database: u64,
    /// The write-ahead log; over 256 MiB somebody keeps a reader open.
    pub wal: u64,
    /// Free pages inside the database file.
    pub free: u64,
}

/// How long things are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// Dedupe keys, by the day of first sight. Longer than a message can wait in a queue (SQS: 14 days, and 14 more
    /// in its dead-letter queue).
    pub seen: Duration,
    /// The ledger of log objects.
    pub objects: Duration,
    /// Bodies of quarantined records; hash, reason and counts stay.
    pub quarantine_bodies: Duration,
    /// Bodies of quarantined records, in bytes: beyond that the oldest go first.
    pub quarantine_bytes: u64,
    /// Delivered and skipped notifications of alerts that are over. Dead ones stay until a person looks.
    pub outbox: Duration,
    /// Crash counters of items that nobody worked on since.
    pub attempts: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: u64 = 24 * 3600;
        Self {
            seen: Duration::from_secs(35 * DAY),
            objects: Duration::from_secs(400 * DAY),
            quarantine_bodies: Duration::from_secs(30 * DAY),
            quarantine_bytes: 256 * 1024 * 1024,
            outbox: Duration::from_secs(90 * DAY),
            attempts: Duration::from_secs(35 * DAY),
        }
    }
}

/// What a prune removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pruned {
    /// Days of dedupe keys.
    pub seen_days: u64,
    /// Dedupe keys.
    pub seen: u64,
    /// Log objects.
    pub objects: u64,
    /// Quarantined bodies.
    pub quarantine_bodies: u64,
    /// Notifications.
    pub outbox: u64,
    /// Crash counters.
    pub attempts: u64,
}

/// What verifying the self-audit found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AuditChain {
    /// Every row follows from the one before. Rows cut off the end can only be noticed by whoever kept the head.
    Intact {
        /// Rows.
        rows: u64,
        /// The hash of the last row; zero where there is none. Keep it outside (anchor).
        head: [u8; 32],
    },
    /// A row was changed, removed or added.
    Broken {
        /// The first row that does not fit.
        seq: i64,
        /// What does not fit.
        problem: &'static str,
    },
}

/// A row of the self-audit as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditView {
    /// Its number, from 1 without gaps.
    pub seq: i64,
    /// What it says.
    pub row: AuditRow,
    /// Its hash.
    pub hash: [u8; 32],
}

/// Whether the row that was to be changed is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// It was changed.
    Changed,
    /// There is no such row; nothing was written.
    Missing,
}
