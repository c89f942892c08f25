//! Where one poller stands in the schedule.

use std::sync::Arc;
use std::time::Duration;

use keyvigil_connector::poller::{PollScope, Poller};
use tokio::time::Instant;

use crate::sight::Sight;

/// Where one poller stands in the schedule.
pub(super) struct Turn {
    pub(super) poller: Arc<dyn Poller>,
    pub(super) scope: PollScope,
    pub(super) sight: Arc<Sight>,
    pub(super) due: Instant,
    pub(super) started: Option<Instant>,
    /// The provider asked not to be called before.
    pub(super) not_before: Option<Instant>,
    pub(super) running: bool,
    /// A storm asked for another full poll while one was running.
    pub(super) again: bool,
    pub(super) round: u64,
    pub(super) failures: u32,
}

impl Turn {
    /// Makes the next full poll due now, or `gap` after the start of the last one.
    pub(super) fn bring_forward(&mut self, gap: Duration) {
        if let Some(started) = self.started {
            self.due = self.due.min(started + gap);
        }
        self.keep_off();
    }

    /// What the provider asked for counts more than any schedule.
    pub(super) fn keep_off(&mut self) {
        if let Some(not_before) = self.not_before {
            self.due = self.due.max(not_before);
        }
    }
}
