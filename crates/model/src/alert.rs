//! An alert: findings folded by what they are about, followed until they are over, and the messages about it.

use crate::finding::Effect;
use crate::finding::Finding;
use crate::id::{FindingId, Fingerprint, ReceiverId};
use crate::severity::Severity;
use crate::time::Timestamp;
use crate::untrusted::Untrusted;

/// An alert. One fingerprint has at most one open alert; each reopening is a new episode.
#[derive(Clone, PartialEq, Debug)]
pub struct Alert {
    /// What it is about.
    pub fingerprint: Fingerprint,
    /// Counts openings: 1 for the first. Part of PagerDuty's dedup key, so that a late retry can never open a
    /// second incident for an episode that is over.
    pub episode: u32,
    /// Where it stands.
    pub state: AlertState,
    /// The highest severity of its findings.
    pub severity: Severity,
    /// Its first finding's event time.
    pub first: Timestamp,
    /// Its last finding's event time.
    pub last: Timestamp,
    /// When it was opened, by keyvigil's clock.
    pub opened_at: Timestamp,
    /// When a message about it was last queued.
    pub notified_at: Option<Timestamp>,
    /// Findings folded into it.
    pub count: u64,
    /// The finding that it shows: the most severe, the latest among equals.
    pub finding: Finding,
}

/// Where an alert stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AlertState {
    /// Nobody has dealt with it.
    Open,
    /// Somebody is at it.
    Acknowledged,
    /// The state is gone.
    Resolved,
    /// The deed was undone.
    Reverted,
    /// Somebody accepted it.
    Excepted,
}

impl AlertState {
    /// Every state.
    pub const ALL: [Self; 5] = [
        Self::Open,
        Self::Acknowledged,
        Self::Resolved,
        Self::Reverted,
        Self::Excepted,
    ];

    /// The word used in NDJSON and the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
            Self::Reverted => "reverted",
            Self::Excepted => "excepted",
        }
    }

    /// The inverse of [`AlertState::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether the alert is still going on.
    pub fn is_open(self) -> bool {
        match self {
            Self::Open | Self::Acknowledged => true,
            Self::Resolved | Self::Reverted | Self::Excepted => false,
        }
    }
}

/// A message to one receiver about one alert, ready to be rendered. It lies in the outbox until it is delivered.
#[derive(Clone, PartialEq, Debug)]
pub struct Notification {
    /// The alert.
    pub fingerprint: Fingerprint,
    /// Its episode.
    pub episode: u32,
    /// The finding shown.
    pub finding: FindingId,
    /// Who gets it.
    pub receiver: ReceiverId,
    /// Why it is sent.
    pub reason: NotifyReason,
    /// Opens, updates or closes at the receiver.
    pub action: NotifyAction,
    /// Severity.
    pub severity: Severity,
    /// What it says.
    pub message: Message,
}

/// Why a message is sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum NotifyReason {
    /// A new alert.
    New,
    /// The severity rose or a further step of an attack was seen.
    Changed,
    /// Still open after the repeat interval.
    Repeat,
    /// The state is gone.
    Resolved,
    /// The deed was undone.
    Reverted,
    /// An exception covers it now.
    Excepted,
    /// Sent again because it is not known whether the first attempt arrived.
    PossibleDuplicate,
    /// Sent here because another receiver failed.
    Fallback,
    /// Sent by hand, to try a receiver.
    Test,
}

impl NotifyReason {
    /// The word shown in the message.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Repeat => "repeat",
            Self::Resolved => "resolved",
            Self::Reverted => "reverted",
            Self::Excepted => "excepted",
            Self::PossibleDuplicate => "possible duplicate",
            Self::Fallback => "fallback",
            Self::Test => "test",
        }
    }

    /// The inverse of [`NotifyReason::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::New,
            Self::Changed,
            Self::Repeat,
            Self::Resolved,
            Self::Reverted,
            Self::Excepted,
            Self::PossibleDuplicate,
            Self::Fallback,
            Self::Test,
        ]
        .into_iter()
        .find(|reason| reason.as_str() == text)
    }
}

/// What a message does at the receiver.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum NotifyAction {
    /// Opens or updates.
    Trigger,
    /// Closes.
    Resolve,
}

impl NotifyAction {
    /// Both actions.
    pub const ALL: [Self; 2] = [Self::Trigger, Self::Resolve];

    /// The word used in the store and towards PagerDuty.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Resolve => "resolve",
        }
    }

    /// The inverse of [`NotifyAction::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }
}

/// The key under which a receiver recognises an alert (PagerDuty's `dedup_key`, at most 255 characters): `kv1-` and
/// 40 hexadecimal digits. The episode is part of it, so a late retry can never open a second incident.
pub fn dedup_key(fingerprint: Fingerprint, episode: u32) -> String {
    let episode = episode.to_be_bytes();
    let first = Fingerprint::of(&[b"kv1", &fingerprint.0, &episode]).to_string();
    let second = Fingerprint::of(&[b"kv1+", &fingerprint.0, &episode]).to_string();
    format!("kv1-{first}{}", second.get(..8).unwrap_or(""))
}

/// The labels that a [`Message`] uses: a closed list, so that a store can write and read them.
pub mod label {
    macro_rules! labels {
        ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
            $($(#[$doc])* pub const $name: &str = $text;)+
            /// Every label.
            pub const ALL: &[&str] = &[$($name),+];
        };
    }

    labels! {
        /// Who: identity.
        PRINCIPAL = "principal",
        /// Who: sort of identity.
        KIND = "kind",
        /// Who: the account of the identity.
        PRINCIPAL_ACCOUNT = "principal account",
        /// Who: role session.
        SESSION = "session",
        /// Who: the person behind a session.
        ON_BEHALF_OF = "on behalf of",
        /// Who: access key id.
        CREDENTIAL = "credential",
        /// Who: second factor.
        SECOND_FACTOR = "second factor",
        /// Who: who undid the deed.
        UNDONE_BY = "undone by",
        /// Subject: the provider.
        PROVIDER = "provider",
        /// Subject: account.
        ACCOUNT = "account",
        /// Subject: region.
        REGION = "region",
        /// Subject: key.
        KEY = "key",
        /// Subject: alias of the key.
        ALIAS = "alias",
        /// Subject: resource other than a key.
        RESOURCE = "resource",
        /// Subject: what the key protects.
        PROTECTS = "protects",
        /// Subject: owner.
        OWNER = "owner",
        /// From: address.
        ADDRESS = "address",
        /// From: user agent.
        USER_AGENT = "user agent",
        /// From: TLS version.
        TLS = "TLS",
        /// From: whether the principal was seen from there before.
        SEEN_BEFORE = "seen from there before",
        /// Lifecycle: state of the alert.
        STATUS = "status",
        /// Lifecycle: why the message is sent.
        SENT_BECAUSE = "sent because",
        /// Lifecycle: the alert, the same in every message about it.
        ALERT = "alert",
        /// Lifecycle: the finding shown.
        FINDING = "finding",
        /// Lifecycle: rule or control.
        RULE = "rule",
        /// Lifecycle: how often it was opened.
        OPENING = "opening",
        /// Lifecycle: findings folded.
        OCCURRENCES = "occurrences",
        /// Lifecycle: time of the first finding.
        FIRST = "first",
        /// Lifecycle: time of the last finding.
        LAST = "last",
        /// Lifecycle: from the event to the message.
        LATENCY = "alerted after",
        /// Lifecycle: the source that saw it.
        SOURCE = "source",
        /// Lifecycle: the record.
        EVENT = "event",
        /// Lifecycle: why it is over.
        CLOSED_BECAUSE = "closed because",
        /// Lifecycle: how soon after its end it came back.
        REOPENED = "back after",
        /// Lifecycle: the receiver that failed.
        INSTEAD_OF = "instead of",
    }

    /// The label with this text.
    pub fn intern(text: &str) -> Option<&'static str> {
        ALL.iter().copied().find(|label| *label == text)
    }
}

/// The twelve fields of an alert, in reading order (docs: alerting). Each channel renders them in its own way.
///
/// Text of type `String` was written by keyvigil; text of type [`Untrusted`] may hold what an attacker chose.
#[derive(Clone, PartialEq, Debug)]
pub struct Message {
    /// 1. What is wrong, in one line, without attacker-chosen text.
    pub headline: String,
    /// 2. Who.
    pub who: Vec<(&'static str, Untrusted)>,
    /// 3. What.
    pub what: Untrusted,
    /// 4. Which key and which data.
    pub subject: Vec<(&'static str, Untrusted)>,
    /// 5. From where.
    pub from: Vec<(&'static str, Untrusted)>,
    /// 6. Is it normal.
    pub normal: String,
    /// 7. What breaks and when.
    pub blast_radius: String,
    /// 8. What to do next.
    pub next_steps: Vec<NextStep>,
    /// 9. Where to look: text and address.
    pub links: Vec<(String, String)>,
    /// 10. Requirements touched.
    pub controls: Vec<String>,
    /// 11. Event time, and when it was alerted.
    pub event_time: Timestamp,
    /// When the message was queued.
    pub alerted_at: Timestamp,
    /// 12. Status, repeats, reason, ids.
    pub lifecycle: Vec<(&'static str, String)>,
}

/// One step of the eighth field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NextStep {
    /// What to do.
    pub text: String,
    /// A command that is safe to paste.
    pub command: Option<String>,
    /// What the command does.
    pub effect: Effect,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_dedup_key_fits_and_changes_with_every_opening() {
        let about = Fingerprint::of(&[b"a"]);
        let other = Fingerprint::of(&[b"b"]);
        let keys: HashSet<_> = [
            dedup_key(about, 1),
            dedup_key(about, 2),
            dedup_key(about, 256),
            dedup_key(other, 1),
        ]
        .into();
        assert_eq!(keys.len(), 4);
        for key in keys {
            assert!(key.starts_with("kv1-") && key.len() == 44, "{key}");
        }
    }

    #[test]
    fn labels_are_unique_and_found_by_their_text() {
        let different: HashSet<_> = label::ALL.iter().collect();
        assert_eq!(different.len(), label::ALL.len());
        assert_eq!(label::intern("on behalf of"), Some(label::ON_BEHALF_OF));
        assert_eq!(label::intern("nonsense"), None);
    }
}
