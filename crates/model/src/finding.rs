//! A finding: something that breaks the policy or looks like an attack, with its evidence.

use std::sync::Arc;

use crate::event::{Network, Outcome};
use crate::id::{AccountId, CheckId, EventId, FindingId, Fingerprint, PrincipalId, Region, SourceId};
use crate::key::KeyRef;
use crate::principal::Principal;
use crate::provider::Provider;
use crate::resource::ResourceRef;
use crate::severity::Severity;
use crate::time::Timestamp;
use crate::untrusted::Untrusted;

/// A finding. Its id and fingerprint follow from its content, so a replay makes the same ones.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    /// Identity of this occurrence.
    pub id: FindingId,
    /// What it is about; occurrences with the same fingerprint fold into one alert.
    pub fingerprint: Fingerprint,
    /// The rule or control.
    pub check: CheckId,
    /// Something happened, or something is the case.
    pub kind: FindingKind,
    /// One line for people, without attacker-chosen text.
    pub title: String,
    /// One or two sentences that say what was seen. May hold attacker-chosen text.
    pub summary: Untrusted,
    /// How bad.
    pub severity: Severity,
    /// Whether what happened succeeded. `Unknown` for state findings is `Success`: the state is real.
    pub outcome: Outcome,
    /// The provider.
    pub provider: Provider,
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// Event time for events; time of the reading for states.
    pub time: Timestamp,
    /// Who did it.
    pub principal: Option<Principal>,
    /// The key concerned.
    pub key: Option<KeyRef>,
    /// The resource concerned.
    pub resource: Option<ResourceRef>,
    /// Where it came from.
    pub network: Option<Network>,
    /// The records that it rests on, oldest first; at most 50 are kept.
    pub event_ids: Vec<EventId>,
    /// Requirements that it touches (`SOC2 CC6.1`, `CIS AWS 4.6`, `ATT&CK T1485`).
    pub references: Vec<&'static str>,
    /// The source that saw it.
    pub source: SourceId,
    /// Facts that the rule based itself on, in reading order.
    pub evidence: Vec<Evidence>,
    /// What to do next.
    pub advice: Vec<Advice>,
    /// Answers that only the inventory and the history know.
    pub context: Context,
    /// The raw records, where they are kept.
    pub raw: Vec<Arc<[u8]>>,
}

/// Something happened, or something is the case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FindingKind {
    /// An event: it stays until a person closes it or it is reverted.
    Event,
    /// A state: it resolves when the state is gone.
    State,
}

impl FindingKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Event, Self::State];

    /// The word used in NDJSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::State => "state",
        }
    }

    /// The inverse of [`FindingKind::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One fact that a finding rests on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// What it is.
    pub label: &'static str,
    /// Its value.
    pub value: Untrusted,
}

/// One step for the person who responds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advice {
    /// What to do, in words.
    pub text: String,
    /// A command that is safe to paste: every identifier in it matched the provider's grammar.
    pub command: Option<String>,
    /// What the command does.
    pub effect: Effect,
}

/// What a command does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Effect {
    /// Reads only.
    ReadOnly,
    /// Changes state; can be undone.
    ChangesState,
    /// Cannot be undone.
    Irreversible,
}

impl Effect {
    /// Every effect.
    pub const ALL: [Self; 3] = [Self::ReadOnly, Self::ChangesState, Self::Irreversible];

    /// The words shown beside a command.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::ChangesState => "changes state",
            Self::Irreversible => "irreversible",
        }
    }

    /// The inverse of [`Effect::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effect| effect.as_str() == text)
    }
}

/// What the inventory and the history know about the subject of a finding.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Context {
    /// What the key protects, as sentences with counts ("3 buckets, 2 databases").
    pub protects: Option<String>,
    /// Owner, environment and classification from tags.
    pub owner: Option<Untrusted>,
    /// Whether this is normal, with numbers.
    pub normal: Option<String>,
    /// What breaks and when.
    pub blast_radius: Option<String>,
    /// When it becomes irreversible.
    pub deadline: Option<Timestamp>,
    /// Whether the principal was seen from this source before; `None` where nothing is known.
    pub source_seen_before: Option<bool>,
}

/// What a step of the detector says about a finding.
#[derive(Clone, PartialEq, Debug)]
pub enum FindingChange {
    /// New, or another occurrence of one that is open: the alert book folds by fingerprint.
    Raised(Box<Finding>),
    /// The state is gone, or the deed was undone.
    Cleared {
        /// Which finding.
        fingerprint: Fingerprint,
        /// When.
        at: Timestamp,
        /// Why.
        reason: ClearReason,
    },
    /// Found, but not to be alerted; counted and listed all the same.
    Suppressed {
        /// The finding.
        finding: Box<Finding>,
        /// Why.
        by: Suppression,
    },
}

/// Why a finding is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClearReason {
    /// The control passes again.
    Repaired,
    /// The resource no longer exists.
    ResourceGone,
    /// Somebody undid the deed.
    RevertedBy(PrincipalId),
    /// The source speaks again.
    SourceReturned,
    /// An exception covers it now.
    Excepted,
}

impl ClearReason {
    /// The word used in NDJSON and the store.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Repaired => "repaired",
            Self::ResourceGone => "resource_gone",
            Self::RevertedBy(_) => "reverted",
            Self::SourceReturned => "source_returned",
            Self::Excepted => "excepted",
        }
    }
}

/// Why a finding is not alerted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Suppression {
    /// The rule is still learning what is normal.
    Learning {
        /// When it starts to alert.
        until: Timestamp,
    },
    /// Somebody accepted it.
    Exception {
        /// The exception.
        id: Arc<str>,
        /// When it ends.
        expires: Timestamp,
    },
}
