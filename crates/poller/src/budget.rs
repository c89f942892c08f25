//! The API budget: keyvigil's share of the customer's quotas, held across all pollers and readers of the process.
//!
//! One bucket for each account, region and operation. A bucket holds one token, so requests are spread evenly and
//! no second ever sees more than the rate. A throttled answer halves the rate; it recovers a twentieth at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyvigil_connector::call::{ApiRequest, BoxFuture, Budget};
use tokio::time::Instant;

use crate::quota::{Quota, quota};

/// How much of the quotas keyvigil takes.
#[derive(Clone, Debug)]
pub struct BudgetSettings {
    /// The part of each shared quota, above 0 and at most 1.
    pub share: f64,
    /// Quotas that differ from the table: raised by the customer, or to be spared.
    pub quotas: HashMap<String, Quota>,
}

impl Default for BudgetSettings {
    /// A tenth of every documented quota.
    fn default() -> Self {
        Self {
            share: 0.1,
            quotas: HashMap::new(),
        }
    }
}

/// The budget that every connector call of the process is asked to keep.
pub struct ApiBudget {
    settings: BudgetSettings,
    buckets: Mutex<HashMap<String, Arc<Bucket>>>,
}

/// What one bucket did, for metrics.
#[derive(Clone, PartialEq, Debug)]
pub struct BudgetUse {
    /// The operation, in the provider's permission words.
    pub operation: String,
    /// Requests let through, over all accounts and regions.
    pub requests: u64,
    /// Throttled answers.
    pub throttled: u64,
}

impl ApiBudget {
    /// A budget with full buckets. A share outside 0 to 1 is brought inside.
    pub fn new(mut settings: BudgetSettings) -> Self {
        settings.share = settings.share.clamp(0.001, 1.0);
        Self {
            settings,
            buckets: Mutex::default(),
        }
    }

    /// Requests and throttled answers by operation.
    pub fn usage(&self) -> Vec<BudgetUse> {
        let mut by_operation: HashMap<String, BudgetUse> = HashMap::new();
        for (name, bucket) in self.buckets.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let operation = name.rsplit('\u{0}').next().unwrap_or(name);
            let pace = bucket.pace();
            let used = by_operation
                .entry(operation.to_owned())
                .or_insert_with(|| BudgetUse {
                    operation: operation.to_owned(),
                    requests: 0,
                    throttled: 0,
                });
            used.requests += pace.requests;
            used.throttled += pace.throttled;
        }
        let mut list: Vec<BudgetUse> = by_operation.into_values().collect();
        list.sort_by(|a, b| a.operation.cmp(&b.operation));
        list
    }

    /// Requests a second that are let through now.
    pub fn rate(&self, request: ApiRequest<'_>) -> f64 {
        self.bucket(request).pace().rate(Instant::now())
    }

    fn bucket(&self, request: ApiRequest<'_>) -> Arc<Bucket> {
        let name = format!(
            "{}\u{0}{}\u{0}{}",
            request.account, request.region, request.operation
        );
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let made = buckets.entry(name).or_insert_with(|| {
            let known = self.settings.quotas.get(request.operation);
            let full = known
                .copied()
                .unwrap_or_else(|| quota(request.operation))
                .rate(self.settings.share);
            Arc::new(Bucket::new(full))
        });
        Arc::clone(made)
    }
}

impl Budget for ApiBudget {
    fn acquire<'a>(&'a self, request: ApiRequest<'a>) -> BoxFuture<'a, ()> {
        let bucket = self.bucket(request);
        Box::pin(async move { bucket.acquire().await })
    }

    fn throttled(&self, request: ApiRequest<'_>) {
        let bucket = self.bucket(request);
        bucket.pace().slow_down(Instant::now());
    }
}

struct Bucket {
    /// Whose turn it is to wait; tokio's mutex is fair, so requests leave in the order in which they came.
    turn: tokio::sync::Mutex<()>,
    pace: Mutex<Pace>,
}

impl Bucket {
    fn new(full: f64) -> Self {
        Self {
            turn: tokio::sync::Mutex::new(()),
            pace: Mutex::new(Pace::new(full, Instant::now())),
        }
    }

    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn acquire(&self) {
        let _turn = self.turn.lock().await;
        // The rate may be halved while we wait: ask again after each sleep.
        loop {
            let free_at = self.pace().take(Instant::now());
            match free_at {
                Ok(()) => return,
                Err(free_at) => tokio::time::sleep_until(free_at).await,
            }
        }
    }
}

/// The pace of one bucket: pure arithmetic over instants.
#[derive(Debug)]
struct Pace {
    /// Requests a second when nothing is throttled.
    full: f64,
    /// The part of it that is let through now.
    factor: f64,
    /// When the last request left.
    last: Option<Instant>,
    /// When the factor last changed.
    changed: Instant,
    /// When it was last halved.
    halved: Option<Instant>,
    requests: u64,
    throttled: u64,
}

/// The factor never falls below this: with nothing let through, nobody would notice that the throttling is over.
const LEAST: f64 = 1.0 / 64.0;
/// What the factor gains in each [`RECOVERY`].
const GAIN: f64 = 0.05;
const RECOVERY: Duration = Duration::from_secs(10);
/// Requests that were under way together are throttled together: that counts once.
const TOGETHER: Duration = Duration::from_secs(1);

impl Pace {
    fn new(full: f64, now: Instant) -> Self {
        Self {
            full: full.max(0.001),
            factor: 1.0,
            last: None,
            changed: now,
            halved: None,
            requests: 0,
            throttled: 0,
        }
    }

    fn rate(&mut self, now: Instant) -> f64 {
        self.recover(now);
        self.full * self.factor
    }

    /// Lets a request leave, or tells when the next one may.
    fn take(&mut self, now: Instant) -> Result<(), Instant> {
        let gap = Duration::from_secs_f64(1.0 / self.rate(now));
        if let Some(last) = self.last {
            let free_at = last + gap;
            if now < free_at {
                return Err(free_at);
            }
        }
        self.last = Some(now);
        self.requests += 1;
        Ok(())
    }

    fn slow_down(&mut self, now: Instant) {
        self.recover(now);
        self.throttled += 1;
        let counted = self
            .halved
            .is_some_and(|halved| now.duration_since(halved) < TOGETHER);
        if !counted {
            self.factor = (self.factor / 2.0).max(LEAST);
            self.changed = now;
            self.halved = Some(now);
        }
    }

    fn recover(&mut self, now: Instant) {
        if self.factor >= 1.0 {
            return;
        }
        let steps = now.duration_since(self.changed).as_secs() / RECOVERY.as_secs();
        if steps > 0 {
            let steps = u32::try_from(steps).unwrap_or(u32::MAX);
            self.factor = (self.factor + GAIN * f64::from(steps)).min(1.0);
            self.changed += RECOVERY * steps;
        }
    }
}

#[cfg(test)]
mod tests;
