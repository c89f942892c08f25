//! How pollers are driven, and what the driver works with.

use std::sync::Arc;
use std::time::Duration;

use keyvigil_bus::Publisher;
use keyvigil_connector::call::{Budget, Clock};
use tokio::sync::watch;

use crate::metrics::PollMetrics;
use crate::schedule::PollSchedule;

/// How pollers are driven.
#[derive(Clone, Debug)]
pub struct PollSettings {
    /// When each family is polled.
    pub schedule: PollSchedule,
    /// Full polls at the same time.
    pub full_slots: usize,
    /// Targeted looks at the same time; they never wait for full polls.
    pub look_slots: usize,
    /// For one request to the provider.
    pub request_timeout: Duration,
    /// A full poll that takes longer is given up. A region may hold 100,000 keys, read at 3 a second.
    pub full_limit: Duration,
    /// A targeted look that takes longer is given up.
    pub look_limit: Duration,
    /// A targeted look waits this long, so that the changes of one deployment become one look.
    pub look_delay: Duration,
    /// More waiting looks than this at one poller become a full poll.
    pub storm: usize,
    /// Between the starts of two full polls that storms asked for.
    pub storm_gap: Duration,
}

impl Default for PollSettings {
    fn default() -> Self {
        Self {
            schedule: PollSchedule::default(),
            full_slots: 8,
            look_slots: 8,
            request_timeout: Duration::from_secs(30),
            full_limit: Duration::from_secs(12 * 3_600),
            look_limit: Duration::from_secs(120),
            look_delay: Duration::from_millis(200),
            storm: 25,
            storm_gap: Duration::from_secs(60),
        }
    }
}

/// What the driver works with.
#[derive(Clone)]
pub struct PollLink {
    /// Where snapshots and health reports go.
    pub publisher: Publisher,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The quota shared by everything that calls a provider.
    pub budget: Arc<dyn Budget>,
    /// Counters.
    pub metrics: Arc<PollMetrics>,
    /// Turns `true` when the process is asked to stop; a closed channel means the same.
    pub shutdown: watch::Receiver<bool>,
}
