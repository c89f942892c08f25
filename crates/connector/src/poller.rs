//! Configuration as it is now.

use keyvigil_model::id::{AccountId, Region, SourceId};
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::ResourceRef;
use keyvigil_model::snapshot::{Family, Snapshot};

use crate::call::{BoxFuture, CallContext};
use crate::failure::CallError;

/// Reads one family of resources in one account and region.
///
/// It asks `call.budget` before every request. A request that fails for one resource makes that field unknown and
/// leaves a `BlindSpot`; only a failed listing fails the poll.
pub trait Poller: Send + Sync {
    /// What it reads.
    fn scope(&self) -> &PollScope;

    /// Reads all of it.
    fn poll<'a>(&'a self, call: &'a CallContext) -> BoxFuture<'a, Result<Snapshot, CallError>>;

    /// Reads one resource again. A resource that is gone is a snapshot with `SnapshotScope::Gone`.
    fn poll_one<'a>(
        &'a self,
        call: &'a CallContext,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Snapshot, CallError>>;
}

/// What a poller reads.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PollScope {
    /// The source.
    pub source: SourceId,
    /// The provider.
    pub provider: Provider,
    /// The account.
    pub account: AccountId,
    /// The region; `global` for services without one.
    pub region: Region,
    /// The family.
    pub family: Family,
}
