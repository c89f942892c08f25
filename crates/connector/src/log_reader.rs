//! An audit log that is asked for a window of time.

use std::sync::Arc;
use std::time::Duration;

use keyvigil_model::action::ActionSet;
use keyvigil_model::batch::{Coverage, Quarantined};
use keyvigil_model::event::AuditEvent;
use keyvigil_model::id::SourceId;
use keyvigil_model::provider::Provider;
use keyvigil_model::time::Timestamp;

use crate::call::{BoxFuture, CallContext};
use crate::failure::CallError;

/// Reads a log by windows. It keeps no position of its own: the driver owns the checkpoint.
pub trait LogReader: Send + Sync {
    /// What it reads, and at what pace.
    fn source(&self) -> &LogSource;

    /// Reads one page of a frozen window. A token is only valid with the same window.
    fn read<'a>(
        &'a self,
        call: &'a CallContext,
        query: &'a PageQuery,
    ) -> BoxFuture<'a, Result<LogPage, CallError>>;
}

/// A log and the pace at which it can be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogSource {
    /// The source.
    pub id: SourceId,
    /// Its provider.
    pub provider: Provider,
    /// What the checkpoint belongs to: `source/account/region/stream`.
    pub scope: Arc<str>,
    /// Between two polls.
    pub poll_interval: Duration,
    /// How late records may appear: the floor stays this far behind the end of a window.
    pub settle: Duration,
    /// How far before the floor a window starts.
    pub overlap: Duration,
    /// How far back a first run looks.
    pub first_lookback: Duration,
    /// Deeper re-scans: every so often, look back so far.
    pub rescans: Vec<Rescan>,
}

/// A deeper look back, for records that appeared very late.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rescan {
    /// How often.
    pub every: Duration,
    /// How far back.
    pub lookback: Duration,
}

/// One page to be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageQuery {
    /// Start of the window, inclusive.
    pub start: Timestamp,
    /// End of the window, exclusive.
    pub end: Timestamp,
    /// The token of the page; `None` for the first.
    pub token: Option<Arc<str>>,
    /// What can matter.
    pub wanted: ActionSet,
}

/// One page as it was read.
#[derive(Clone, PartialEq, Debug)]
pub struct LogPage {
    /// What can matter, normalised.
    pub events: Vec<AuditEvent>,
    /// What could not be read.
    pub quarantined: Vec<Quarantined>,
    /// What was seen.
    pub coverage: Vec<Coverage>,
    /// The token of the next page; `None` on the last.
    pub next: Option<Arc<str>>,
}
