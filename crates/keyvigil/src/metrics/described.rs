//! Registers metrics and remembers what was registered: docs/metrics.md is made from it. A registry itself tells
//! nothing about a metric that has no series yet.

use std::cell::RefCell;

use prometheus::Registry;
use prometheus::core::Collector;
use prometheus::proto::MetricType;

/// A metric, for documentation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Described {
    /// Its full name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// What it says.
    pub help: String,
}

/// A registry that is being filled.
#[derive(Default)]
pub(super) struct Registering {
    pub(super) registry: Registry,
    pub(super) described: RefCell<Vec<Described>>,
}

impl Registering {
    /// Registers a metric under a name that is not taken.
    pub(super) fn register<C: Collector + Clone + 'static>(&self, metric: C) -> Result<C, prometheus::Error> {
        self.registry.register(Box::new(metric.clone()))?;
        let kind = metric.collect().first().map(|family| family.get_field_type());
        let kind = match kind {
            Some(MetricType::COUNTER) => "counter",
            Some(MetricType::GAUGE) => "gauge",
            Some(MetricType::HISTOGRAM) => "histogram",
            Some(MetricType::SUMMARY | MetricType::UNTYPED) | None => "untyped",
        };
        let mut described = self.described.borrow_mut();
        described.extend(metric.desc().into_iter().map(|desc| Described {
            name: desc.fq_name.clone(),
            kind,
            labels: desc.variable_labels.clone(),
            help: desc.help.clone(),
        }));
        Ok(metric)
    }
}
