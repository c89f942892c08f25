//! What a step adds to the metrics, held back until the commit is through: what was not committed was not counted.

use keyvigil_bus::Committed;
use keyvigil_model::alert::AlertState;
use keyvigil_model::batch::{Batch, QuarantineReason};
use keyvigil_model::event::AuditEvent;
use keyvigil_model::finding::{FindingChange, Suppression};
use keyvigil_model::id::{CheckId, SourceId};
use keyvigil_model::provider::Provider;
use keyvigil_model::severity::Severity;
use keyvigil_model::time::Timestamp;
use keyvigil_store::view::{Counts, OutboxState};

use crate::metrics::{Metrics, key_operation};

/// Numbers waiting for the commit.
#[derive(Default)]
pub struct Tally {
    received: Vec<(SourceId, Provider, u64, u64)>,
    quarantined: Vec<(SourceId, QuarantineReason)>,
    lags: Vec<(SourceId, f64)>,
    operations: Vec<(Provider, &'static str, &'static str)>,
    detections: Vec<(CheckId, Severity, Provider, f64)>,
    suppressed: Vec<(Severity, &'static str)>,
}

impl Tally {
    /// A batch of which `events` were new.
    pub(super) fn batch(&mut self, batch: &Batch, events: &[AuditEvent], now: Timestamp, result: Committed) {
        let records: u64 = batch.coverage.iter().map(|seen| seen.records).sum();
        let received = records.max(batch.events.len() as u64);
        self.received
            .push((batch.source.clone(), batch.provider, received, result.duplicates));
        for record in &batch.quarantined {
            self.quarantined.push((batch.source.clone(), record.reason));
        }
        // One sample a batch: the newest event. A sample an event would only repeat the delivery interval.
        if let Some(newest) = events.iter().map(|event| event.time).max() {
            self.lags
                .push((batch.source.clone(), now.since(newest).as_secs_f64()));
        }
        for event in events {
            if event.action.is_key() || event.action.is_secret() {
                self.operations.push((
                    event.provider,
                    key_operation(event.action),
                    event.outcome.as_str(),
                ));
            }
        }
    }

    /// What the detector found.
    pub(super) fn findings(&mut self, changes: &[FindingChange], now: Timestamp) {
        for change in changes {
            match change {
                FindingChange::Raised(finding) => self.detections.push((
                    finding.check.clone(),
                    finding.severity,
                    finding.provider,
                    now.since(finding.time).as_secs_f64(),
                )),
                FindingChange::Suppressed { finding, by } => self.suppressed.push((
                    finding.severity,
                    match by {
                        Suppression::Learning { .. } => "learning",
                        Suppression::Exception { .. } => "exception",
                    },
                )),
                FindingChange::Cleared { .. } => {}
            }
        }
    }

    /// Adds everything to the metrics.
    pub(super) fn export(self, metrics: &Metrics) {
        for (source, provider, received, duplicates) in self.received {
            let (source, provider) = (source.as_str(), provider.as_str());
            metrics
                .source_events_received
                .with_label_values(&[source, provider])
                .inc_by(received);
            metrics
                .source_duplicate_events
                .with_label_values(&[source])
                .inc_by(duplicates);
        }
        for (source, reason) in self.quarantined {
            metrics
                .quarantined_records
                .with_label_values(&[source.as_str(), reason.as_str()])
                .inc();
        }
        for (source, seconds) in self.lags {
            metrics
                .source_lag
                .with_label_values(&[source.as_str()])
                .observe(seconds);
        }
        for (provider, operation, outcome) in self.operations {
            metrics
                .key_operations
                .with_label_values(&[provider.as_str(), operation, outcome])
                .inc();
        }
        for (check, severity, provider, seconds) in self.detections {
            let labels = [check.as_str(), severity.as_str(), provider.as_str()];
            metrics.detections.with_label_values(&labels).inc();
            metrics
                .detection_latency
                .with_label_values(&[provider.as_str()])
                .observe(seconds);
        }
        for (severity, mechanism) in self.suppressed {
            metrics
                .findings_suppressed
                .with_label_values(&[severity.as_str(), mechanism])
                .inc();
        }
    }
}

/// Sets the gauges that are read from the store.
pub(super) fn export_counts(counts: &Counts, metrics: &Metrics) {
    for severity in Severity::ALL {
        metrics
            .findings
            .with_label_values(&[severity.as_str(), AlertState::Open.as_str()])
            .set(0);
    }
    for (severity, count) in &counts.open_alerts {
        metrics
            .findings
            .with_label_values(&[severity.as_str(), AlertState::Open.as_str()])
            .set(as_gauge(*count));
    }
    metrics.posture_checks.reset();
    for (control, verdict, count) in &counts.judgements {
        metrics
            .posture_checks
            .with_label_values(&[control.as_str(), verdict.as_str()])
            .set(as_gauge(*count));
    }
    for row in &counts.outbox {
        if row.state == OutboxState::Dead {
            metrics
                .notification_dead_letters
                .with_label_values(&[row.receiver.as_str()])
                .set(as_gauge(row.rows));
        }
    }
}

fn as_gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
