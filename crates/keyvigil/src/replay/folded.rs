//! Findings folded by what they are about, so that each is printed once: with its highest severity and all its events.

use std::collections::HashMap;

use keyvigil_model::finding::{ClearReason, Finding};
use keyvigil_model::id::Fingerprint;
use keyvigil_model::severity::Severity;

/// More findings than this are printed and forgotten before the end, so that memory stays bounded.
const FULL: usize = 20_000;
/// At most so many event ids are printed with one finding.
const EVENT_IDS: usize = 50;

/// Findings of a replay.
#[derive(Default)]
pub(super) struct Folded {
    findings: HashMap<Fingerprint, (Finding, &'static str)>,
}

impl Folded {
    /// Adds a finding. If there are too many by now, all of them are handed back to be printed.
    pub(super) fn add(&mut self, mut finding: Finding) -> Option<Self> {
        // Records are evidence for the store; here only their ids are printed.
        finding.raw = Vec::new();
        match self.findings.get_mut(&finding.fingerprint) {
            Some((known, status)) => {
                *status = "open";
                fold(known, finding);
            }
            None => {
                self.findings.insert(finding.fingerprint, (finding, "open"));
            }
        }
        (self.findings.len() > FULL).then(|| std::mem::take(self))
    }

    /// The deed was undone.
    pub(super) fn clear(&mut self, fingerprint: Fingerprint, reason: &ClearReason) {
        if let Some((_, status)) = self.findings.get_mut(&fingerprint) {
            *status = match reason {
                ClearReason::RevertedBy(_) => "reverted",
                ClearReason::Excepted => "excepted",
                ClearReason::Repaired | ClearReason::ResourceGone | ClearReason::SourceReturned => "resolved",
            };
        }
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.findings.len()
    }

    /// The highest severity.
    pub(super) fn worst(&self) -> Option<Severity> {
        self.findings.values().map(|(finding, _)| finding.severity).max()
    }

    /// In the order of their time.
    pub(super) fn in_order(self) -> Vec<(Finding, &'static str)> {
        let mut list: Vec<(Finding, &'static str)> = self.findings.into_values().collect();
        list.sort_by(|(left, _), (right, _)| {
            (left.time, &left.check, left.fingerprint).cmp(&(right.time, &right.check, right.fingerprint))
        });
        list
    }
}

fn fold(known: &mut Finding, mut new: Finding) {
    let mut ids = std::mem::take(&mut known.event_ids);
    for id in std::mem::take(&mut new.event_ids) {
        if ids.len() < EVENT_IDS && !ids.contains(&id) {
            ids.push(id);
        }
    }
    // The more severe one is shown; among equals the first, as it happened first.
    if new.severity > known.severity {
        let (id, time) = (known.id.clone(), known.time);
        *known = new;
        known.id = id;
        known.time = time;
    }
    known.event_ids = ids;
}
