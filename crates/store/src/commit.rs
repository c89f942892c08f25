//! What one step of the pipeline writes: everything in a [`Commit`] becomes durable together or not at all.

use std::sync::Arc;

use keyvigil_model::action::Action;
use keyvigil_model::alert::{Alert, Notification};
use keyvigil_model::batch::{CheckpointUpdate, Coverage, ObjectRecord, Quarantined};
use keyvigil_model::event::Outcome;
use keyvigil_model::finding::{ClearReason, Finding, Suppression};
use keyvigil_model::id::{AccountId, CheckId, DedupeKey, Fingerprint, SourceId};
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::ResourceRef;
use keyvigil_model::time::{Day, Timestamp};
use keyvigil_model::verdict::Judgement;

/// Everything that one step writes, in one transaction. An empty one costs no disk access.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Commit {
    /// The time of the step.
    pub now: Timestamp,
    /// Events that were evaluated: they will not be new again.
    pub seen: Vec<DedupeKey>,
    /// Uses of keys and secrets; counts add up.
    pub ledger: Vec<LedgerEntry>,
    /// What was seen, by source; counts add up under the day of `now`.
    pub coverage: Vec<(SourceId, Coverage)>,
    /// What could not be read, by source.
    pub quarantined: Vec<(SourceId, Quarantined)>,
    /// New positions.
    pub checkpoints: Vec<CheckpointUpdate>,
    /// Log objects that were read to their end, by source.
    pub objects: Vec<(SourceId, ObjectRecord)>,
    /// The detector's state.
    pub state: Vec<StateWrite>,
    /// New or changed verdicts.
    pub judgements: Vec<Judgement>,
    /// Verdicts on resources that are gone.
    pub withdrawn: Vec<(CheckId, ResourceRef)>,
    /// Findings, suppressed ones included.
    pub findings: Vec<FindingRow>,
    /// Findings that are over. Applied after `findings`.
    pub cleared: Vec<Cleared>,
    /// Alerts that are new or changed.
    pub alerts: Vec<Alert>,
    /// Notifications to be delivered. One that is queued already is left as it is.
    pub outbox: Vec<Notification>,
    /// What became of notifications that were claimed, when it must be recorded together with something else
    /// (a dead one with its fallback). Applied before `outbox`.
    pub settled: Vec<(OutboxId, Settlement)>,
    /// Items whose work is done: their crash counters start again.
    pub attempts_cleared: Vec<Arc<str>>,
    /// What keyvigil or an operator did.
    pub self_audit: Vec<AuditRow>,
}

impl Commit {
    /// An empty commit at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self {
            now,
            ..Self::default()
        }
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        *self == Self::at(self.now)
    }
}

/// Uses of one key by one principal in one day that ended in one way.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LedgerEntry {
    /// The UTC day of the events.
    pub day: Day,
    /// The provider.
    pub provider: Provider,
    /// The account in whose log they are.
    pub account: AccountId,
    /// The key or secret, by its canonical name where it is known.
    pub key: String,
    /// The principal's id.
    pub principal: String,
    /// The normalised operation.
    pub operation: Action,
    /// How they ended.
    pub outcome: Outcome,
    /// How many.
    pub count: u64,
    /// The first of them, by event time.
    pub first: Timestamp,
    /// The last of them, by event time.
    pub last: Timestamp,
}

/// One value of the detector's state; opaque to the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateWrite {
    /// Whose state it is.
    pub space: String,
    /// Which value of it.
    pub key: String,
    /// The value; `None` deletes it.
    pub value: Option<Vec<u8>>,
}

/// One stored value of the detector's state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateRow {
    /// Whose state it is.
    pub space: String,
    /// Which value of it.
    pub key: String,
    /// The value.
    pub value: Vec<u8>,
}

/// A finding to be stored. The same id again counts up and opens it again if it was over.
#[derive(Clone, PartialEq, Debug)]
pub struct FindingRow {
    /// The finding.
    pub finding: Finding,
    /// Why it is not alerted; `None`: it is.
    pub suppressed_by: Option<Suppression>,
}

/// Every open or suppressed finding of a fingerprint is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cleared {
    /// Which findings.
    pub fingerprint: Fingerprint,
    /// When it ended.
    pub at: Timestamp,
    /// Why.
    pub reason: ClearReason,
}

/// A row of the self-audit to be appended; the store numbers and chains it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditRow {
    /// When.
    pub time: Timestamp,
    /// Who: `keyvigil`, or the operator's name.
    pub actor: String,
    /// What: `start`, `config_loaded`, `acknowledged`.
    pub action: String,
    /// More about it: JSON or text. No secrets.
    pub data: String,
}

/// Identifies a row of the outbox.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OutboxId(pub i64);

/// A claimed notification: deliver it, then settle it.
#[derive(Clone, PartialEq, Debug)]
pub struct OutboxRow {
    /// The row.
    pub id: OutboxId,
    /// What to deliver.
    pub notification: Notification,
    /// Attempts including this one.
    pub attempts: u32,
    /// An earlier attempt ended without an answer: the receiver may have it already.
    pub was_unknown: bool,
}

/// What became of an attempt to deliver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Settlement {
    /// The receiver took it.
    Sent,
    /// The receiver certainly did not take it (refused connection, 429): try again at `at`.
    Retry {
        /// Not before.
        at: Timestamp,
        /// What went wrong, without secrets.
        error: String,
    },
    /// It is not known whether the receiver took it (timeout, broken connection, 5xx): try again at `at`, and the
    /// next claim says `was_unknown`.
    Unknown {
        /// Not before.
        at: Timestamp,
        /// What went wrong, without secrets.
        error: String,
    },
    /// It will never be delivered; a person must look.
    Dead {
        /// What went wrong, without secrets.
        error: String,
    },
}
