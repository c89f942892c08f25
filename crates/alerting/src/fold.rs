//! How a finding becomes part of an alert that is there already.

use std::collections::BTreeSet;
use std::time::Duration;

use keyvigil_model::alert::Alert;
use keyvigil_model::finding::{Finding, FindingKind};
use keyvigil_model::id::Fingerprint;
use keyvigil_model::severity::Severity;
use keyvigil_model::time::Timestamp;

/// A different deed is told at most so often for one alert.
const DIFFERENT_EVERY: Duration = Duration::from_secs(3600);

/// What folding made of the alert.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folded {
    /// It is more severe.
    Risen,
    /// It is as severe, but somebody else did it, or something else was done.
    Different,
    /// It is the same once more.
    Same,
}

/// Different deeds that became part of one alert: when one was told last, and whether one waits for that.
#[derive(Default, Debug)]
pub(crate) struct Different {
    told_at: Option<Timestamp>,
    waits: bool,
}

impl Different {
    /// Notes one.
    pub(crate) fn note(&mut self) {
        self.waits = true;
    }

    /// Whether one has to be told now.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.waits && self.told_at.is_none_or(|told| now.since(told) >= DIFFERENT_EVERY)
    }

    /// Notes that it is told.
    pub(crate) fn tell(&mut self, now: Timestamp) {
        *self = Self {
            told_at: Some(now),
            waits: false,
        };
    }
}

/// Adds an occurrence: the alert shows the most severe finding, among equals a different deed or else the latest.
pub(crate) fn fold(alert: &mut Alert, finding: Finding) -> Folded {
    let different = finding.severity >= alert.finding.severity && differs(&alert.finding, &finding);
    let folded = match (finding.severity > alert.severity, different) {
        (true, _) => Folded::Risen,
        (false, true) => Folded::Different,
        (false, false) => Folded::Same,
    };
    alert.count = alert.count.saturating_add(1);
    alert.first = alert.first.min(finding.time);
    alert.last = alert.last.max(finding.time);
    alert.severity = alert.severity.max(finding.severity);
    let shown = (alert.finding.severity, alert.finding.time);
    // The record of a deed may arrive after a poll, or another deed, that came later.
    if different || (finding.severity, finding.time) >= shown {
        alert.finding = finding;
    }
    folded
}

/// Whether the finding is another deed than the one shown, and not the same once more.
fn differs(shown: &Finding, finding: &Finding) -> bool {
    if finding.kind == FindingKind::State {
        return false;
    }
    let who = |finding: &Finding| finding.principal.as_ref().map(|principal| principal.id.clone());
    shown.kind == FindingKind::State || who(shown) != who(finding) || facts(shown) != facts(finding)
}

/// What the finding rests on, without times and counts: those differ each time.
fn facts(finding: &Finding) -> BTreeSet<&str> {
    let mut facts = BTreeSet::new();
    for evidence in &finding.evidence {
        let value = evidence.value.raw();
        let is_count = value.bytes().all(|byte| byte.is_ascii_digit());
        if !is_count && Timestamp::parse_rfc3339(value).is_err() {
            facts.insert(value);
        }
    }
    facts
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
