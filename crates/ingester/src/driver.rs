//! What every source driver is given, and what all of them do the same way: publish, tell how the source fares, wait.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyvigil_bus::{Committed, NotCommitted, Observation, Publisher};
use keyvigil_connector::call::{Budget, CallContext};
use keyvigil_connector::failure::{CallError, FailureClass};
use keyvigil_model::action::ActionSet;
use keyvigil_model::batch::Batch;
use keyvigil_model::health::{SightState, SourceHealth};
use keyvigil_model::id::SourceId;
use keyvigil_model::provider::Provider;
use keyvigil_model::time::Timestamp;
use keyvigil_model::verdict::UnknownReason;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::memory::Memory;
use crate::metrics::SourceMetrics;

/// Turns `true` when the process is asked to stop. A closed channel means the same.
pub type Shutdown = watch::Receiver<bool>;

/// What a source driver works with. Cheap to clone; one metrics block a source.
#[derive(Clone)]
pub struct Driver {
    /// Where observations go.
    pub publisher: Publisher,
    /// Positions, object ledger, attempts.
    pub memory: Arc<dyn Memory>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The quota shared by everything that calls a provider.
    pub budget: Arc<dyn Budget>,
    /// What can matter; changes when the policy is reloaded.
    pub wanted: watch::Receiver<ActionSet>,
    /// When to stop.
    pub shutdown: Shutdown,
    /// The counters of this source.
    pub metrics: Arc<SourceMetrics>,
}

impl Driver {
    pub(crate) fn call(&self, timeout: Duration) -> CallContext {
        CallContext {
            now: self.clock.now(),
            timeout,
            budget: Arc::clone(&self.budget),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn wanted(&self) -> ActionSet {
        *self.wanted.borrow()
    }

    /// Publishes, waits for the commit and counts.
    pub(crate) async fn commit(&self, batch: Batch) -> Result<Committed, NotCommitted> {
        let newest = batch.events.iter().map(|event| event.time).max();
        let (events, quarantined) = (batch.events.len() as u64, batch.quarantined.len() as u64);
        match self.publisher.publish(Observation::Batch(Box::new(batch))).await {
            Ok(committed) => {
                self.metrics.received.add(events);
                self.metrics.duplicates.add(committed.duplicates);
                self.metrics.quarantined.add(quarantined);
                if let Some(newest) = newest {
                    self.metrics.saw_event(newest);
                }
                Ok(committed)
            }
            Err(refused) => {
                self.metrics.not_committed.add(1);
                Err(refused)
            }
        }
    }

    /// Runs until `work` ends or the process is asked to stop. Dropping the work at any await is safe: nothing is
    /// acknowledged before it is committed.
    pub(crate) async fn until_shutdown<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut shutdown = self.shutdown.clone();
        tokio::select! {
            biased;
            () = stopped(&mut shutdown) => None,
            output = work => Some(output),
        }
    }
}

/// Returns when the process is asked to stop.
pub(crate) async fn stopped(shutdown: &mut Shutdown) {
    // An error means that nobody is left who could ask: the same thing.
    let _closed = shutdown.wait_for(|stop| *stop).await.is_err();
}

/// What a driver was doing; each has its own sight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Step {
    Read,
    Receive,
    Extend,
    Acknowledge,
    Fetch,
    List,
}

/// Tells the pipeline when a source goes blind and when it sees again. A source sees when none of its steps is blind.
pub(crate) struct Sight {
    source: SourceId,
    provider: Provider,
    state: Mutex<SightMemory>,
}

#[derive(Default)]
struct SightMemory {
    blind: BTreeMap<Step, (Arc<str>, UnknownReason)>,
    told_at: Option<Timestamp>,
}

/// An unchanged state is told again after this long, so that a restart of the reader of these reports loses nothing.
const TELL_AGAIN: Duration = Duration::from_secs(300);

impl Sight {
    pub(crate) fn new(source: SourceId, provider: Provider) -> Self {
        Self {
            source,
            provider,
            state: Mutex::default(),
        }
    }

    /// A step worked.
    pub(crate) async fn seeing(&self, driver: &Driver, step: Step) {
        let now = driver.now();
        driver.metrics.succeeded(now);
        let tell = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let recovered = state.blind.remove(&step).is_some();
            if state.blind.is_empty() && (recovered || state.is_due(now)) {
                state.told_at = Some(now);
                true
            } else {
                false
            }
        };
        if tell {
            self.tell(driver, SightState::Seeing).await;
        }
    }

    /// A step failed.
    pub(crate) async fn failed(&self, driver: &Driver, step: Step, error: &CallError) {
        driver.metrics.failed(error.class);
        tracing::warn!(source = %self.source, %error, "a call to the source failed");
        let now = driver.now();
        let reason = error.class.unknown_reason();
        let call: Arc<str> = error.call.as_str().into();
        let tell = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let before = state.blind.insert(step, (Arc::clone(&call), reason));
            if before != Some((Arc::clone(&call), reason)) || state.is_due(now) {
                state.told_at = Some(now);
                true
            } else {
                false
            }
        };
        if tell {
            self.tell(driver, SightState::Blind { call, reason }).await;
        }
    }

    async fn tell(&self, driver: &Driver, state: SightState) {
        let health = SourceHealth {
            source: self.source.clone(),
            provider: self.provider,
            account: None,
            region: None,
            state,
        };
        // Nothing waits for the commit of a health report, and the next one repeats what a lost one said.
        let _lost = driver
            .publisher
            .enqueue(Observation::Health(health))
            .await
            .is_err();
    }
}

impl SightMemory {
    fn is_due(&self, now: Timestamp) -> bool {
        self.told_at.is_none_or(|told| told.distance(now) >= TELL_AGAIN)
    }
}

/// How long to wait before the `attempt`-th repetition (from 1): doubling from `first` up to `most`.
pub(crate) fn backoff(first: Duration, most: Duration, attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(30);
    first.saturating_mul(1 << doublings).min(most)
}

/// Waits that a provider asks for are honoured up to this; beyond it they are taken for a mistake.
const MOST_ASKED: Duration = Duration::from_secs(3_600);

/// How long to wait after a failure: at least as long as the provider asked for.
pub(crate) fn wait_after(class: FailureClass, attempt: u32) -> Duration {
    match class {
        FailureClass::Throttled(asked) => {
            let own = backoff(Duration::from_secs(2), Duration::from_secs(120), attempt);
            own.max(asked.unwrap_or_default().min(MOST_ASKED))
        }
        FailureClass::Transient | FailureClass::Unreadable => {
            backoff(Duration::from_secs(1), Duration::from_secs(60), attempt)
        }
        // Somebody must change something; a new credential is to be noticed within a minute.
        FailureClass::Denied
        | FailureClass::Unauthenticated
        | FailureClass::NotFound
        | FailureClass::Permanent => Duration::from_secs(30),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_honour_what_was_asked() {
        let check = |class, attempt, seconds| {
            assert_eq!(
                wait_after(class, attempt),
                Duration::from_secs(seconds),
                "{class:?} {attempt}"
            );
        };
        check(FailureClass::Transient, 1, 1);
        check(FailureClass::Transient, 4, 8);
        check(FailureClass::Transient, 400, 60);
        check(FailureClass::Throttled(None), 1, 2);
        check(FailureClass::Throttled(Some(Duration::from_secs(300))), 1, 300);
        check(FailureClass::Throttled(Some(Duration::from_secs(1))), 9, 120);
        check(FailureClass::Throttled(Some(Duration::MAX)), 1, 3_600);
        check(FailureClass::Denied, 50, 30);
    }
}
