//! Copies the counters of sources and pollers into the metrics, every few seconds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyvigil_bus::Depth;
use keyvigil_connector::failure::FailureClass;
use keyvigil_ingester::metrics::SourceMetrics;
use keyvigil_model::id::SourceId;
use keyvigil_model::provider::Provider;
use keyvigil_poller::budget::ApiBudget;
use keyvigil_poller::metrics::PollMetrics;

use crate::metrics::Metrics;
use crate::supervisor::{Stop, stopped};

/// A scrape may be this much behind.
const EVERY: Duration = Duration::from_secs(2);
/// Classes of failure, as label values.
const CLASSES: [FailureClass; 7] = FailureClass::ALL;

/// What is copied.
#[derive(Default)]
pub(super) struct Exported {
    /// Sources with their counters.
    pub(super) sources: Vec<(SourceId, Provider, Arc<SourceMetrics>)>,
    /// The pollers' counters.
    pub(super) polls: Option<Arc<PollMetrics>>,
}

/// Copies.
pub(super) struct Exporter {
    exported: Exported,
    budget: Arc<ApiBudget>,
    metrics: Metrics,
    depth: Depth,
    /// What was copied last: Prometheus counters can only be added to.
    before: Mutex<HashMap<SourceId, Seen>>,
}

/// A source at the last copy.
#[derive(Clone, Copy, Default)]
struct Seen {
    errors: [u64; CLASSES.len()],
    last_success: Option<keyvigil_model::time::Timestamp>,
}

impl Exporter {
    /// Copies `exported` into `metrics`.
    pub(super) fn new(exported: Exported, budget: Arc<ApiBudget>, metrics: Metrics, depth: Depth) -> Self {
        Self {
            exported,
            budget,
            metrics,
            depth,
            before: Mutex::default(),
        }
    }

    /// Runs until the daemon stops.
    pub(super) async fn run(self: Arc<Self>, mut stop: Stop) {
        loop {
            self.copy();
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = stopped(&mut stop) => return,
            }
        }
    }

    fn copy(&self) {
        self.metrics
            .pipeline_queue
            .with_label_values(&["pipeline"])
            .set(self.depth.get() as i64);
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        for (source, provider, counters) in &self.exported.sources {
            let seen = before.entry(source.clone()).or_default();
            self.copy_source(source, *provider, counters, seen);
        }
        if let Some(polls) = &self.exported.polls {
            copy_polls(polls, &self.metrics);
        }
        for used in self.budget.usage() {
            for (outcome, total) in [("sent", used.requests), ("throttled", used.throttled)] {
                let counter = self.metrics.api_requests.with_label_values(&[
                    Provider::Aws.as_str(),
                    &used.operation,
                    outcome,
                ]);
                // The budget counts up for as long as the process lives, and so does the counter.
                counter.inc_by(total.saturating_sub(counter.get()));
            }
        }
    }

    fn copy_source(&self, source: &SourceId, provider: Provider, counters: &SourceMetrics, seen: &mut Seen) {
        let name = source.as_str();
        let mut failed_lately = false;
        for (index, class) in CLASSES.into_iter().enumerate() {
            let now = counters.errors(class);
            let new = now.saturating_sub(seen.errors[index]);
            seen.errors[index] = now;
            failed_lately |= new > 0;
            self.metrics
                .source_errors
                .with_label_values(&[name, class.as_str()])
                .inc_by(new);
        }
        let success = counters.last_success();
        let succeeded_lately = success > seen.last_success;
        seen.last_success = success;
        let up = self
            .metrics
            .source_up
            .with_label_values(&[name, provider.as_str()]);
        if succeeded_lately {
            up.set(1);
        } else if failed_lately {
            up.set(0);
        }
        let set = |gauge: &prometheus::GaugeVec, time: Option<keyvigil_model::time::Timestamp>| {
            if let Some(time) = time {
                gauge.with_label_values(&[name]).set(time.as_secs() as f64);
            }
        };
        set(&self.metrics.source_last_success_timestamp, success);
        set(&self.metrics.source_last_event_timestamp, counters.newest_event());
        set(&self.metrics.source_checkpoint_timestamp, counters.checkpoint());
    }
}

/// A poller is up if its last full poll succeeded.
fn copy_polls(polls: &PollMetrics, metrics: &Metrics) {
    for status in polls.scopes() {
        let (name, provider) = (status.scope.source.as_str(), status.scope.provider.as_str());
        let Some(success) = status.last_success else {
            if status.failures > 0 {
                metrics.source_up.with_label_values(&[name, provider]).set(0);
            }
            continue;
        };
        metrics
            .source_up
            .with_label_values(&[name, provider])
            .set(i64::from(status.failures == 0));
        metrics
            .source_last_success_timestamp
            .with_label_values(&[name])
            .set(success.as_secs() as f64);
    }
}
