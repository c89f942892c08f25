//! What a driver hands to a connector with every call.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use keyvigil_model::time::Timestamp;

/// A boxed future: connectors are used behind `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The circumstances of one call.
#[derive(Clone)]
pub struct CallContext {
    /// The time of the driver's clock. A connector never reads one itself.
    pub now: Timestamp,
    /// The call must give up after this long.
    pub timeout: Duration,
    /// To be asked before every request to a provider.
    pub budget: Arc<dyn Budget>,
}

/// Tells a driver the time. Passed in, so that tests and replays decide what time it is.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// Shares out a provider's quota. One budget serves every poller of the process, so that keyvigil as a whole stays
/// below its share of what the customer's own applications need.
pub trait Budget: Send + Sync {
    /// Returns when the request may be sent.
    fn acquire<'a>(&'a self, request: ApiRequest<'a>) -> BoxFuture<'a, ()>;
    /// Tells that the provider throttled the request, so that the budget gives less for a while.
    fn throttled(&self, request: ApiRequest<'_>);
}

/// What a quota is counted by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ApiRequest<'a> {
    /// The account whose quota is used.
    pub account: &'a str,
    /// The region.
    pub region: &'a str,
    /// The operation in the provider's permission words: `kms:DescribeKey`.
    pub operation: &'a str,
}

/// A budget without limits, for commands that make a handful of calls and for tests.
pub struct Unlimited;

impl Budget for Unlimited {
    fn acquire<'a>(&'a self, _request: ApiRequest<'a>) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }

    fn throttled(&self, _request: ApiRequest<'_>) {}
}
