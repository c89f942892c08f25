//! Events wait, for a short while after a start, until the keys are known: CloudTrail names a key by its ARN, and only
//! the inventory knows that this is the decoy or the critical key that the policy names by its alias. An event that was
//! judged without it is never judged again.

use std::collections::BTreeSet;
use std::time::Duration;

use keyvigil_connector::poller::Poller;
use keyvigil_model::id::SourceId;
use keyvigil_model::snapshot::Family;
use tokio::sync::watch;

/// Events do not wait longer than this: an account whose keys cannot be read must not blind keyvigil to its log.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Opens when the keys of every configured account and region were read once.
#[derive(Clone)]
pub(super) struct Gate {
    seen: watch::Receiver<BTreeSet<SourceId>>,
    expected: usize,
}

impl Gate {
    /// A gate for what these pollers read; `seen` is filled by the pipeline.
    pub(super) fn new<'a>(
        seen: watch::Receiver<BTreeSet<SourceId>>,
        pollers: impl Iterator<Item = &'a dyn Poller>,
    ) -> Self {
        let expected = pollers
            .filter(|poller| poller.scope().family == Family::Keys)
            .count();
        Self { seen, expected }
    }

    /// Waits until the gate is open, or has been waited for long enough.
    pub(super) async fn wait(mut self) {
        let expected = self.expected;
        let known = self.seen.wait_for(|seen| seen.len() >= expected);
        if tokio::time::timeout(LONGEST_WAIT, known).await.is_err() {
            tracing::warn!("the keys of some accounts could not be read yet; events are judged without them");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_opens_when_everything_was_read_or_after_a_minute() {
        let seen = watch::Sender::new(BTreeSet::new());
        let gate = Gate {
            seen: seen.subscribe(),
            expected: 1,
        };
        let started = tokio::time::Instant::now();
        gate.clone().wait().await;
        assert_eq!(started.elapsed(), LONGEST_WAIT, "nothing was read");
        seen.send_modify(|seen| {
            seen.insert(SourceId::from("aws/prod/keys"));
        });
        let started = tokio::time::Instant::now();
        gate.wait().await;
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}
