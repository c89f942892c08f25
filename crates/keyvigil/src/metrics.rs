//! What keyvigil tells Prometheus. Every label is a closed list or comes from the configuration: no principal, address,
//! ARN, account or alias can ever become a label or add a series.
//!
//! Names and meaning: docs/metrics.md is generated from this file's help texts.

use keyvigil_model::alert::AlertState;
use keyvigil_model::batch::QuarantineReason;
use keyvigil_model::event::Outcome;
use keyvigil_model::provider::Provider;
use keyvigil_model::severity::Severity;
use prometheus::{
    Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

mod described;

pub use described::Described;
use described::Registering;

/// The metrics of the daemon.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    described: Vec<Described>,
    /// 1 if the last reload of the configuration was taken over.
    pub config_last_reload_successful: IntGauge,
    /// When the configuration in effect was loaded.
    pub config_last_reload_success_timestamp: Gauge,
    /// Rules and controls loaded, by `kind`.
    pub rules_loaded: IntGaugeVec,
    /// Whether a source answered its last call.
    pub source_up: IntGaugeVec,
    /// Records received by `source`, duplicates included.
    pub source_events_received: IntCounterVec,
    /// Failed calls by `source` and `reason`.
    pub source_errors: IntCounterVec,
    /// Newest event time seen by `source`.
    pub source_last_event_timestamp: GaugeVec,
    /// Last successful call of `source`.
    pub source_last_success_timestamp: GaugeVec,
    /// Everything older is durably processed.
    pub source_checkpoint_timestamp: GaugeVec,
    /// Commit time minus event time.
    pub source_lag: HistogramVec,
    /// Records that were seen before.
    pub source_duplicate_events: IntCounterVec,
    /// Records that could not be read.
    pub quarantined_records: IntCounterVec,
    /// Observations that wait for the pipeline.
    pub pipeline_queue: IntGaugeVec,
    /// Time that a stage takes.
    pub pipeline_duration: HistogramVec,
    /// Event time to finding stored.
    pub detection_latency: HistogramVec,
    /// Findings raised, by rule or control.
    pub detections: IntCounterVec,
    /// Alerts by state.
    pub findings: IntGaugeVec,
    /// The oldest open alert; 0 if there is none.
    pub finding_oldest_open_timestamp: GaugeVec,
    /// Findings that were found and not alerted.
    pub findings_suppressed: IntCounterVec,
    /// Verdicts by control.
    pub posture_checks: IntGaugeVec,
    /// Operations on keys and secrets.
    pub key_operations: IntCounterVec,
    /// Messages delivered.
    pub notifications: IntCounterVec,
    /// Failed attempts to deliver.
    pub notifications_failed: IntCounterVec,
    /// The oldest message that waits; 0 if none does.
    pub notification_oldest_pending_timestamp: GaugeVec,
    /// Finding stored to message accepted.
    pub notification_latency: HistogramVec,
    /// Messages given up.
    pub notification_dead_letters: IntGaugeVec,
    /// Size of the store on disk.
    pub store_size: IntGauge,
    /// Keys of the inventory.
    pub keys: IntGaugeVec,
    /// Accepted risks of the policy.
    pub exceptions: IntGaugeVec,
    /// The last transaction of the pipeline.
    pub pipeline_heartbeat_timestamp: GaugeVec,
    /// Requests to providers.
    pub api_requests: IntCounterVec,
}

/// Seconds from a moment to minutes: what lies between an event and its alert.
const LAG_BUCKETS: &[f64] = &[
    0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 21_600.0, 86_400.0,
];
/// Milliseconds to seconds: what a stage of the pipeline takes.
const STAGE_BUCKETS: &[f64] = &[0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// Values of the label `state` of `keyvigil_keys`.
pub const KEY_STATES: [&str; 5] = ["enabled", "disabled", "pending_deletion", "unusable", "unknown"];
/// Stages of the pipeline, as label values.
pub const STAGES: [&str; 3] = ["detect", "commit", "total"];
/// Ways in which a finding is not alerted, as label values.
pub const MECHANISMS: [&str; 2] = ["learning", "exception"];

impl Metrics {
    /// Registers everything and sets what is known beforehand to zero.
    #[expect(clippy::too_many_lines, reason = "the catalogue is one list")]
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registering::default();
        let build = gauges(
            &registry,
            "build_info",
            "version in the label, 1 as value",
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let metrics = Self {
            config_last_reload_successful: gauge(
                &registry,
                "config_last_reload_successful",
                "1 if the configuration in effect is the one on disk at the last reload",
            )?,
            config_last_reload_success_timestamp: real_gauge(
                &registry,
                "config_last_reload_success_timestamp_seconds",
                "when the configuration in effect was loaded",
            )?,
            rules_loaded: gauges(&registry, "rules_loaded", "rules and controls loaded", &["kind"])?,
            source_up: gauges(
                &registry,
                "source_up",
                "1 if the last call of the source succeeded",
                &["source", "provider"],
            )?,
            source_events_received: counters(
                &registry,
                "source_events_received_total",
                "audit records received, duplicates and uninteresting ones included",
                &["source", "provider"],
            )?,
            source_errors: counters(
                &registry,
                "source_errors_total",
                "failed calls",
                &["source", "reason"],
            )?,
            source_last_event_timestamp: real_gauges(
                &registry,
                "source_last_event_timestamp_seconds",
                "newest event time seen",
                &["source"],
            )?,
            source_last_success_timestamp: real_gauges(
                &registry,
                "source_last_success_timestamp_seconds",
                "last successful call",
                &["source"],
            )?,
            source_checkpoint_timestamp: real_gauges(
                &registry,
                "source_checkpoint_timestamp_seconds",
                "everything older is durably processed",
                &["source"],
            )?,
            source_lag: histograms(
                &registry,
                "source_lag_seconds",
                "commit time minus event time",
                &["source"],
                LAG_BUCKETS,
            )?,
            source_duplicate_events: counters(
                &registry,
                "source_duplicate_events_total",
                "relevant records that were seen before",
                &["source"],
            )?,
            quarantined_records: counters(
                &registry,
                "quarantined_records_total",
                "records, messages and objects that could not be read",
                &["source", "reason"],
            )?,
            pipeline_queue: gauges(
                &registry,
                "pipeline_queue_events",
                "observations that wait",
                &["stage"],
            )?,
            pipeline_duration: histograms(
                &registry,
                "pipeline_duration_seconds",
                "time that a stage takes",
                &["stage"],
                STAGE_BUCKETS,
            )?,
            detection_latency: histograms(
                &registry,
                "detection_latency_seconds",
                "event time to finding stored",
                &["provider"],
                LAG_BUCKETS,
            )?,
            detections: counters(
                &registry,
                "detections_total",
                "findings raised",
                &["rule", "severity", "provider"],
            )?,
            findings: gauges(&registry, "findings", "alerts by state", &["severity", "status"])?,
            finding_oldest_open_timestamp: real_gauges(
                &registry,
                "finding_oldest_open_timestamp_seconds",
                "when the oldest open alert was opened; 0 if none is open",
                &["severity"],
            )?,
            findings_suppressed: counters(
                &registry,
                "findings_suppressed_total",
                "findings that were found and not alerted",
                &["severity", "mechanism"],
            )?,
            posture_checks: gauges(
                &registry,
                "posture_checks",
                "verdicts of a control",
                &["check", "status"],
            )?,
            key_operations: counters(
                &registry,
                "key_operations_total",
                "operations on keys and secrets",
                &["provider", "operation", "outcome"],
            )?,
            notifications: counters(
                &registry,
                "notifications_total",
                "messages that the receiver accepted",
                &["integration", "receiver"],
            )?,
            notifications_failed: counters(
                &registry,
                "notifications_failed_total",
                "failed attempts to deliver",
                &["integration", "receiver", "reason"],
            )?,
            notification_oldest_pending_timestamp: real_gauges(
                &registry,
                "notification_oldest_pending_timestamp_seconds",
                "when the oldest waiting message was queued; 0 if none waits",
                &["receiver"],
            )?,
            notification_latency: histograms(
                &registry,
                "notification_latency_seconds",
                "message queued to message accepted",
                &["integration"],
                LAG_BUCKETS,
            )?,
            notification_dead_letters: gauges(
                &registry,
                "notification_dead_letters",
                "messages that were given up and wait for a person",
                &["receiver"],
            )?,
            keys: gauges(
                &registry,
                "keys",
                "keys of the inventory",
                &["provider", "state", "managed_by"],
            )?,
            exceptions: gauges(
                &registry,
                "exceptions",
                "accepted risks of the policy",
                &["state"],
            )?,
            pipeline_heartbeat_timestamp: real_gauges(
                &registry,
                "pipeline_heartbeat_timestamp_seconds",
                "when the stage last worked through everything that it had",
                &["stage"],
            )?,
            api_requests: counters(
                &registry,
                "api_requests_total",
                "requests to providers",
                &["provider", "api", "outcome"],
            )?,
            store_size: gauge(&registry, "store_size_bytes", "size of the store on disk")?,
            registry: registry.registry,
            described: registry.described.into_inner(),
        };
        metrics.initialise()?;
        Ok(metrics)
    }

    /// Sets every combination of closed labels to zero, so that no series is missing until something happens.
    fn initialise(&self) -> Result<(), prometheus::Error> {
        for stage in STAGES {
            self.pipeline_duration.with_label_values(&[stage]);
        }
        for severity in Severity::ALL {
            for state in AlertState::ALL {
                self.findings
                    .with_label_values(&[severity.as_str(), state.as_str()])
                    .set(0);
            }
            for mechanism in MECHANISMS {
                self.findings_suppressed
                    .with_label_values(&[severity.as_str(), mechanism]);
            }
            self.finding_oldest_open_timestamp
                .with_label_values(&[severity.as_str()])
                .set(0.0);
        }
        self.detection_latency
            .with_label_values(&[Provider::Aws.as_str()]);
        for outcome in Outcome::ALL {
            for operation in KEY_OPERATIONS {
                self.key_operations
                    .with_label_values(&[Provider::Aws.as_str(), operation, outcome.as_str()]);
            }
        }
        Ok(())
    }

    /// Sets the series of one source to zero.
    pub fn initialise_source(&self, source: &str, provider: Provider) {
        self.source_events_received
            .with_label_values(&[source, provider.as_str()]);
        self.source_duplicate_events.with_label_values(&[source]);
        self.source_lag.with_label_values(&[source]);
        for class in keyvigil_connector::failure::FailureClass::ALL {
            self.source_errors.with_label_values(&[source, class.as_str()]);
        }
        for reason in QuarantineReason::ALL {
            self.quarantined_records
                .with_label_values(&[source, reason.as_str()]);
        }
    }

    /// Every metric, also those without a series yet.
    pub fn described(&self) -> &[Described] {
        &self.described
    }

    /// The page that Prometheus reads.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// Values of the label `operation` of `keyvigil_key_operations_total`.
pub const KEY_OPERATIONS: [&str; 7] = [
    "encrypt",
    "decrypt",
    "sign",
    "datakey",
    "secret_read",
    "admin",
    "read",
];

/// The value of the label `operation` for an action on a key or secret.
pub fn key_operation(action: keyvigil_model::action::Action) -> &'static str {
    use keyvigil_model::action::Action;
    match action {
        Action::KeyEncrypt => "encrypt",
        Action::KeyDecrypt | Action::KeyReEncrypt => "decrypt",
        Action::KeySign | Action::KeyMac => "sign",
        Action::KeyDataKey => "datakey",
        Action::SecretRead => "secret_read",
        Action::KeyRead | Action::SecretList => "read",
        _other_administration => "admin",
    }
}

fn options(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("keyvigil")
}

fn gauge(registry: &Registering, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    registry.register(IntGauge::with_opts(options(name, help))?)
}

fn real_gauge(registry: &Registering, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
    registry.register(Gauge::with_opts(options(name, help))?)
}

fn gauges(
    registry: &Registering,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntGaugeVec, prometheus::Error> {
    registry.register(IntGaugeVec::new(options(name, help), labels)?)
}

fn real_gauges(
    registry: &Registering,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<GaugeVec, prometheus::Error> {
    registry.register(GaugeVec::new(options(name, help), labels)?)
}

fn counters(
    registry: &Registering,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    registry.register(IntCounterVec::new(options(name, help), labels)?)
}

fn histograms(
    registry: &Registering,
    name: &str,
    help: &str,
    labels: &[&str],
    buckets: &[f64],
) -> Result<HistogramVec, prometheus::Error> {
    let options = HistogramOpts::new(name, help)
        .namespace("keyvigil")
        .buckets(buckets.to_vec());
    registry.register(HistogramVec::new(options, labels)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_renders_and_known_series_start_at_zero() {
        let metrics = Metrics::new().unwrap();
        metrics.initialise_source("aws/prod", Provider::Aws);
        let page = metrics.render().unwrap();
        assert!(
            page.contains("keyvigil_findings{severity=\"critical\",status=\"open\"} 0"),
            "{page}"
        );
        assert!(page.contains("keyvigil_build_info{version="), "{page}");
        assert!(
            page.contains("keyvigil_source_errors_total{reason=\"denied\",source=\"aws/prod\"} 0"),
            "{page}"
        );
    }
}
