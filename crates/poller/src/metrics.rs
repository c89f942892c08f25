//! Counters of the poller, as atomics: the driver writes them, the binary exports them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use keyvigil_connector::failure::FailureClass;
use keyvigil_connector::poller::PollScope;
use keyvigil_model::time::Timestamp;

/// Counters over all pollers, and where each one stands.
#[derive(Debug, Default)]
pub struct PollMetrics {
    /// Full polls whose snapshot was committed.
    pub polls: Counter,
    /// Targeted looks whose snapshot was committed.
    pub repolls: Counter,
    /// Requests for a targeted look.
    pub repolls_requested: Counter,
    /// Requests covered by a look or a full poll that was waiting already.
    pub repolls_coalesced: Counter,
    /// Requests for a resource that no poller reads.
    pub repolls_unmatched: Counter,
    /// Looks given up after several failures; the next full poll covers them.
    pub repolls_given_up: Counter,
    /// Storms of requests that became a full poll.
    pub storms: Counter,
    /// Snapshots that the pipeline did not commit.
    pub not_committed: Counter,
    /// Polls and looks under way.
    pub running: Counter,
    /// Requests that wait.
    pub repolls_waiting: Counter,
    errors: [Counter; FailureClass::ALL.len()],
    scopes: Mutex<Vec<ScopeStatus>>,
}

/// Where one poller stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScopeStatus {
    /// What it reads.
    pub scope: PollScope,
    /// When a full poll last succeeded.
    pub last_success: Option<Timestamp>,
    /// How long that took.
    pub last_duration: Duration,
    /// Failed full polls in a row.
    pub failures: u32,
}

impl PollMetrics {
    /// Failed polls and looks of a class, whatever wait a throttled one asked for.
    pub fn errors(&self, class: FailureClass) -> u64 {
        self.errors[index_of(class)].get()
    }

    /// Where each poller stands.
    pub fn scopes(&self) -> Vec<ScopeStatus> {
        self.scopes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn failed(&self, class: FailureClass) {
        self.errors[index_of(class)].add(1);
    }

    pub(crate) fn start(&self, scopes: &[PollScope]) {
        let mut list = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        list.clear();
        for scope in scopes {
            list.push(ScopeStatus {
                scope: scope.clone(),
                last_success: None,
                last_duration: Duration::ZERO,
                failures: 0,
            });
        }
    }

    pub(crate) fn update(&self, index: usize, change: impl FnOnce(&mut ScopeStatus)) {
        let mut list = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(status) = list.get_mut(index) {
            change(status);
        }
    }
}

fn index_of(class: FailureClass) -> usize {
    match class {
        FailureClass::Throttled(_) => 0,
        FailureClass::Transient => 1,
        FailureClass::Denied => 2,
        FailureClass::Unauthenticated => 3,
        FailureClass::NotFound => 4,
        FailureClass::Permanent => 5,
        FailureClass::Unreadable => 6,
    }
}

/// One number.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}
