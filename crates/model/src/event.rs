//! One record of an audit log, normalised: what happened, who did it, to which key, and how it ended.

use std::sync::Arc;

use crate::action::Action;
use crate::facts::Facts;
use crate::id::{AccountId, DedupeKey, EventId, Region};
use crate::key::KeyRef;
use crate::principal::Principal;
use crate::provider::Provider;
use crate::resource::ResourceRef;
use crate::time::Timestamp;
use crate::untrusted::Untrusted;

/// A normalised audit record. Field by field source: reference "detections", section 3.
#[derive(Clone, PartialEq, Debug)]
pub struct AuditEvent {
    /// The provider's id of this record.
    pub id: EventId,
    /// Identity for deduplication: CloudTrail `eventID` + `recipientAccountId`.
    pub dedupe: DedupeKey,
    /// When it happened, by the provider's clock.
    pub time: Timestamp,
    /// The provider.
    pub provider: Provider,
    /// The account in whose log the record is.
    pub account: AccountId,
    /// The region of the log.
    pub region: Region,
    /// The provider's name of the service (`kms.amazonaws.com`).
    pub service: Arc<str>,
    /// The provider's name of the operation (`ScheduleKeyDeletion`).
    pub operation: Arc<str>,
    /// The normalised operation.
    pub action: Action,
    /// How it ended. Read from the record, never assumed.
    pub outcome: Outcome,
    /// The provider's error code, where there is one.
    pub error_code: Option<Untrusted>,
    /// Who acted.
    pub principal: Principal,
    /// What the call came through.
    pub via: Via,
    /// Where the call came from.
    pub network: Network,
    /// The keys concerned. For [`Action::KeyReEncrypt`]: source, then destination.
    pub keys: Vec<KeyRef>,
    /// The resource concerned other than a key: secret, bucket, database, trail.
    pub resource: Option<ResourceRef>,
    /// The names and values of the encryption context.
    pub encryption_context: Vec<(Untrusted, Untrusted)>,
    /// What the operation asked for, as far as rules need it.
    pub facts: Facts,
    /// Joins the two copies of one cross-account call (`sharedEventID`).
    pub shared_id: Option<Untrusted>,
    /// The record that this one corrects (`addendum.originalEventID`).
    pub amends: Option<EventId>,
    /// Whether the provider cut parameters out of the record (`"omitted": true`): its content proves nothing.
    pub truncated: bool,
    /// The record as the provider wrote it; kept as evidence.
    pub raw: Arc<[u8]>,
}

/// How a call ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Outcome {
    /// It did what was asked.
    Success,
    /// It was refused for lack of permission.
    Denied,
    /// It failed for another reason.
    Failed,
    /// The record does not say.
    Unknown,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Success, Self::Denied, Self::Failed, Self::Unknown];

    /// The word used in NDJSON and the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// The inverse of [`Outcome::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// What a call came through on its way.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Via {
    /// The service that called on the principal's behalf (`userIdentity.invokedBy`).
    pub service: Option<Untrusted>,
    /// The private endpoint that the call used.
    pub endpoint: Option<Untrusted>,
    /// Whether the session came from the provider's web console.
    pub console: bool,
}

/// Where a call came from.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Network {
    /// The source: an address, a list of addresses, or the name of a service.
    pub source: Option<Untrusted>,
    /// The user agent.
    pub user_agent: Option<Untrusted>,
    /// The TLS version, where the record says it.
    pub tls_version: Option<Untrusted>,
}

impl AuditEvent {
    /// The key that the event is about: the first one.
    pub fn key(&self) -> Option<&KeyRef> {
        self.keys.first()
    }

    /// Whether the call succeeded.
    pub fn succeeded(&self) -> bool {
        self.outcome == Outcome::Success
    }

    /// Whether the provider itself acted, for itself: type AWSService, a service agent, a first-party app.
    pub fn by_cloud_service(&self) -> bool {
        self.principal.kind == crate::principal::PrincipalKind::CloudService
    }
}
