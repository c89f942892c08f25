//! What keyvigil knows of its own sight: a source that fails or falls silent is an observation too.

use std::sync::Arc;

use crate::id::{AccountId, Region, SourceId};
use crate::provider::Provider;
use crate::verdict::UnknownReason;

/// How a source fared in its last attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceHealth {
    /// The source.
    pub source: SourceId,
    /// Its provider.
    pub provider: Provider,
    /// The account concerned, where the trouble has one.
    pub account: Option<AccountId>,
    /// The region concerned, where the trouble has one.
    pub region: Option<Region>,
    /// What happened.
    pub state: SightState,
}

/// What happened to keyvigil's sight.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SightState {
    /// The source answered.
    Seeing,
    /// A call was refused or failed.
    Blind {
        /// The call, in the provider's words (`kms:GetKeyPolicy`).
        call: Arc<str>,
        /// Why.
        reason: UnknownReason,
    },
}
