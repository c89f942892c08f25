//! Who acted, and through what.

use crate::id::{AccountId, PrincipalId};
use crate::untrusted::Untrusted;

/// The identity behind a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal {
    /// Stable identity for baselines and allow-lists: for a role session the role, not the session.
    pub id: PrincipalId,
    /// What sort of identity it is.
    pub kind: PrincipalKind,
    /// The account that the identity belongs to, where the record says it.
    pub account: Option<AccountId>,
    /// The name of the role session. The caller chooses it.
    pub session: Option<Untrusted>,
    /// The person behind a session, where single sign-on or Identity Center says it.
    pub on_behalf_of: Option<Untrusted>,
    /// The credential (access key id), not a secret.
    pub credential: Option<Untrusted>,
    /// Whether the session was authenticated with a second factor. `None` where the record does not say.
    pub mfa: Option<bool>,
}

/// What sort of identity a principal is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PrincipalKind {
    /// A person, or a user credential that may be a person's.
    Human,
    /// A role or service account used by software (or by a person through single sign-on).
    Workload,
    /// The cloud provider itself acting as a service.
    CloudService,
    /// The account's root or Vault's root.
    Root,
    /// The record does not say.
    Unknown,
}

impl PrincipalKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Human,
        Self::Workload,
        Self::CloudService,
        Self::Root,
        Self::Unknown,
    ];

    /// The word used in NDJSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Workload => "workload",
            Self::CloudService => "cloud_service",
            Self::Root => "root",
            Self::Unknown => "unknown",
        }
    }

    /// The inverse of [`PrincipalKind::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl Principal {
    /// A principal of which nothing but the id is known.
    pub fn unknown(id: impl Into<PrincipalId>) -> Self {
        Self {
            id: id.into(),
            kind: PrincipalKind::Unknown,
            account: None,
            session: None,
            on_behalf_of: None,
            credential: None,
            mfa: None,
        }
    }
}
