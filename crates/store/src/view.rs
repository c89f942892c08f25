//! What readers of the store ask for and get back.

mod upkeep;

use keyvigil_model::alert::Notification;
use keyvigil_model::batch::QuarantineReason;
use keyvigil_model::finding::{Finding, Suppression};
use keyvigil_model::id::{AccountId, CheckId, FindingId, Fingerprint, ReceiverId, Region, SourceId};
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::ResourceKind;
use keyvigil_model::severity::Severity;
use keyvigil_model::time::{Day, Timestamp};
use keyvigil_model::verdict::Judgement;

use crate::commit::OutboxId;
pub use crate::view::upkeep::{AuditChain, AuditView, Found, Pruned, Retention, StoreSize};

/// Where a finding stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FindingStatus {
    /// It stands.
    Open,
    /// It stands but is not alerted.
    Suppressed,
    /// The state is gone.
    Resolved,
    /// The deed was undone.
    Reverted,
    /// Somebody accepted it.
    Excepted,
}

impl FindingStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [
        Self::Open,
        Self::Suppressed,
        Self::Resolved,
        Self::Reverted,
        Self::Excepted,
    ];

    /// The word used in NDJSON and the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Suppressed => "suppressed",
            Self::Resolved => "resolved",
            Self::Reverted => "reverted",
            Self::Excepted => "excepted",
        }
    }

    /// The inverse of [`FindingStatus::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// Which findings to list. Every field that is set narrows the list; the default lists all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FindingFilter {
    /// One finding.
    pub id: Option<FindingId>,
    /// What they are about.
    pub fingerprint: Option<Fingerprint>,
    /// The rule or control.
    pub check: Option<CheckId>,
    /// Where they stand.
    pub status: Option<FindingStatus>,
    /// At least this severe.
    pub min_severity: Option<Severity>,
    /// The provider.
    pub provider: Option<Provider>,
    /// The account.
    pub account: Option<AccountId>,
    /// Event time at or after.
    pub since: Option<Timestamp>,
    /// Event time before.
    pub until: Option<Timestamp>,
    /// At most so many, the latest ones.
    pub limit: Option<u32>,
}

/// A stored finding.
#[derive(Clone, PartialEq, Debug)]
pub struct FindingView {
    /// The finding, as it was last seen.
    pub finding: Finding,
    /// Where it stands.
    pub status: FindingStatus,
    /// Why it is not alerted.
    pub suppressed_by: Option<Suppression>,
    /// How often it was stored.
    pub count: u64,
    /// When it was first stored, by keyvigil's clock.
    pub first_at: Timestamp,
    /// When it was last stored, by keyvigil's clock.
    pub last_at: Timestamp,
    /// When and why it ended.
    pub cleared: Option<ClearedView>,
}

/// When and why a finding ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClearedView {
    /// When.
    pub at: Timestamp,
    /// Why: the word of `ClearReason`.
    pub reason: String,
    /// Who undid it, for `reverted`.
    pub by: Option<String>,
}

/// Which judgements to list. Every field that is set narrows the list; the default lists all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct JudgementFilter {
    /// The control.
    pub control: Option<CheckId>,
    /// The kind of resource.
    pub kind: Option<ResourceKind>,
    /// The resource's id.
    pub resource: Option<String>,
    /// The account.
    pub account: Option<AccountId>,
    /// The word of the verdict: `pass`, `fail`, `unknown`, `not_applicable`, `excepted`.
    pub verdict: Option<&'static str>,
}

/// A stored judgement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JudgementView {
    /// The judgement.
    pub judgement: Judgement,
    /// Since when the verdict is what it is, by the time of the evidence.
    pub since: Timestamp,
}

/// Which quarantined records to list. Every field that is set narrows the list; the default lists all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QuarantineFilter {
    /// The source.
    pub source: Option<SourceId>,
    /// The reason.
    pub reason: Option<QuarantineReason>,
    /// Last seen at or after, by keyvigil's clock.
    pub since: Option<Timestamp>,
    /// At most so many, the latest ones.
    pub limit: Option<u32>,
}

/// A quarantined record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuarantineView {
    /// The row.
    pub id: i64,
    /// The source.
    pub source: SourceId,
    /// Where it was.
    pub origin: String,
    /// What was wrong with it.
    pub reason: QuarantineReason,
    /// More about the reason.
    pub detail: String,
    /// The bytes as first seen, cut; `None` once they were pruned.
    pub bytes: Option<Vec<u8>>,
    /// SHA-256 of the bytes that were kept at first.
    pub sha256: [u8; 32],
    /// How often it was seen.
    pub count: u64,
    /// First seen, by keyvigil's clock.
    pub first_at: Timestamp,
    /// Last seen, by keyvigil's clock.
    pub last_at: Timestamp,
}

/// Which ledger entries to list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LedgerFilter {
    /// The first day.
    pub from: Day,
    /// The last day, included.
    pub to: Day,
    /// The key.
    pub key: Option<String>,
    /// The principal.
    pub principal: Option<String>,
}

impl LedgerFilter {
    /// Every entry of the days `from` to `to`, both included.
    pub fn days(from: Day, to: Day) -> Self {
        Self {
            from,
            to,
            key: None,
            principal: None,
        }
    }
}

/// What one source saw of one account and region on one day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CoverageView {
    /// The UTC day on which it was read, by keyvigil's clock.
    pub day: Day,
    /// The source.
    pub source: SourceId,
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// Records seen, duplicates included.
    pub records: u64,
    /// Records of key services among them.
    pub key_records: u64,
    /// The newest event time.
    pub newest: Option<Timestamp>,
}

/// Where a notification stands. `sent`, `skipped` and `dead` are final.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum OutboxState {
    /// Never tried.
    Pending,
    /// An attempt is under way.
    Sending,
    /// The receiver certainly does not have it; it will be tried again.
    Retry,
    /// The receiver may have it; it will be tried again.
    Unknown,
    /// The receiver has it.
    Sent,
    /// Overtaken: the alert was over before anything about it was sent.
    Skipped,
    /// Given up.
    Dead,
}

impl OutboxState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Sending,
        Self::Retry,
        Self::Unknown,
        Self::Sent,
        Self::Skipped,
        Self::Dead,
    ];

    /// The word used in the store and as a metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Retry => "retry",
            Self::Unknown => "unknown",
            Self::Sent => "sent",
            Self::Skipped => "skipped",
            Self::Dead => "dead",
        }
    }

    /// The inverse of [`OutboxState::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether it still has to be delivered.
    pub fn is_waiting(self) -> bool {
        match self {
            Self::Pending | Self::Sending | Self::Retry | Self::Unknown => true,
            Self::Sent | Self::Skipped | Self::Dead => false,
        }
    }
}

/// Notifications of one receiver in one state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutboxCount {
    /// The receiver.
    pub receiver: ReceiverId,
    /// The state.
    pub state: OutboxState,
    /// How many.
    pub rows: u64,
}

/// A notification as it lies in the outbox, for listings.
#[derive(Clone, PartialEq, Debug)]
pub struct OutboxView {
    /// The row.
    pub id: OutboxId,
    /// The notification.
    pub notification: Notification,
    /// Where it stands.
    pub state: OutboxState,
    /// Attempts so far.
    pub attempts: u32,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// The last error.
    pub error: Option<String>,
}

/// Numbers for metrics gauges, read in one transaction.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Findings by rule, severity and status.
    pub findings: Vec<(CheckId, Severity, FindingStatus, u64)>,
    /// Open and acknowledged alerts by severity.
    pub open_alerts: Vec<(Severity, u64)>,
    /// Resources by control and word of the verdict.
    pub judgements: Vec<(CheckId, String, u64)>,
    /// Quarantined records by source and reason; repeats counted once.
    pub quarantined: Vec<(SourceId, QuarantineReason, u64)>,
    /// Notifications by receiver and state.
    pub outbox: Vec<OutboxCount>,
    /// Log objects read, by source.
    pub objects: Vec<(SourceId, u64)>,
    /// Items on which work began and has not ended.
    pub attempts: u64,
}
