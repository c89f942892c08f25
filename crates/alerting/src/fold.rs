//! How a finding becomes part of an alert that is there already.

use keyvigil_model::alert::Alert;
use keyvigil_model::finding::{Finding, FindingKind};
use keyvigil_model::id::Fingerprint;
use keyvigil_model::severity::Severity;

/// Whether folding raised the severity.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Risen {
    Yes,
    No,
}

/// Adds an occurrence: the alert shows the most severe finding, the latest among equals.
pub(crate) fn fold(alert: &mut Alert, finding: Finding) -> Risen {
    let risen = if finding.severity > alert.severity {
        Risen::Yes
    } else {
        Risen::No
    };
    alert.count = alert.count.saturating_add(1);
    alert.first = alert.first.min(finding.time);
    alert.last = alert.last.max(finding.time);
    alert.severity = alert.severity.max(finding.severity);
    let shown = (alert.finding.severity, alert.finding.time);
    if (finding.severity, finding.time) >= shown {
        alert.finding = finding;
    }
    risen
}

/// What a finding becomes when there is no room for another alert: part of one alert for its check, which pages.
pub(crate) fn overflow(finding: Finding, max_open: usize) -> Finding {
    Finding {
        fingerprint: Fingerprint::of(&[b"overflow", finding.check.as_str().as_bytes()]),
        title: format!(
            "More than {max_open} alerts are open: further findings of {} are folded here",
            finding.check
        ),
        kind: FindingKind::Event,
        severity: finding.severity.max(Severity::High),
        ..finding
    }
}
