//! The alert book: which alerts are open, who was told, and what has to be said now.
//!
//! - A finding opens an alert, or folds into the open one with the same fingerprint.
//! - Folding tells nobody, unless the severity rises or somebody else did it or something else was done (`changed`; the
//!   latter at most once an hour), or the repeat interval is over (`repeat`).
//! - A finding that is cleared ends its alert at once; whoever was told about this episode is told that it is over.
//! - Reopening is always a new episode, however soon: a late retry of the old episode's resolve must never close the
//!   new one at the receiver. A message about a reopening within ten minutes says how soon it came back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keyvigil_model::alert::{Alert, AlertState, Notification, NotifyAction, NotifyReason, label};
use keyvigil_model::finding::{ClearReason, Finding, FindingChange, FindingKind};
use keyvigil_model::id::{Fingerprint, ReceiverId};
use keyvigil_model::severity::Severity;
use keyvigil_model::time::Timestamp;

use crate::closed::ClosedAlerts;
use crate::fold::{Different, Folded, fold, overflow};
use crate::message::{Ending, Telling, compose};
use crate::settings::AlertSettings;

/// A reopening sooner than this after the end is called by its name in the message.
const FLAPPING: Duration = Duration::from_secs(600);

/// All alerts that are open, and the episodes of those that are over.
#[derive(Debug)]
pub struct AlertBook {
    settings: AlertSettings,
    open: BTreeMap<Fingerprint, OpenAlert>,
    closed: ClosedAlerts,
}

/// An open alert and who knows of it.
#[derive(Debug)]
struct OpenAlert {
    alert: Alert,
    told: Vec<ReceiverId>,
    /// How soon it came back, where that was soon.
    back_after: Option<Duration>,
    different: Different,
}

/// What a step of the book changed. Commit both in one transaction.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Changes {
    /// Alerts that are new or different, ended ones first; the last of several with one fingerprint is the truth.
    pub alerts: Vec<Alert>,
    /// Messages for the outbox, the most severe first.
    pub notifications: Vec<Notification>,
}

/// What has to be told about open alerts at the end of a step: one message for each receiver, however much happened.
#[derive(Default)]
struct Step {
    changes: Changes,
    touched: BTreeSet<Fingerprint>,
    pending: BTreeMap<Fingerprint, Vec<(ReceiverId, NotifyReason)>>,
}

impl AlertBook {
    /// Continues where `known` stopped: the alerts of the store. Pass ended alerts too, as far as they are kept:
    /// their episodes are counted on.
    ///
    /// Who was told about an open alert is not stored: it is taken to be everybody to whom the settings route it.
    pub fn new(settings: AlertSettings, known: Vec<Alert>) -> Self {
        let mut book = Self {
            settings,
            open: BTreeMap::new(),
            closed: ClosedAlerts::default(),
        };
        for alert in known {
            if alert.state.is_open() {
                let told = match alert.notified_at {
                    Some(_) => book.settings.receivers(&alert.finding.check, alert.severity),
                    None => Vec::new(),
                };
                let entry = OpenAlert {
                    alert,
                    told,
                    back_after: None,
                    different: Different::default(),
                };
                book.open.insert(entry.alert.fingerprint, entry);
            } else {
                book.closed.remember(alert.fingerprint, alert.episode, None);
            }
        }
        book
    }

    /// Forgets who was told about what: call it before [`AlertBook::told`] for everybody of whom it is known. Without
    /// that it is assumed that whoever should have been told was, and a receiver that was repaired or renamed would
    /// hear nothing until the next repeat.
    pub fn forget_who_was_told(&mut self) {
        for entry in self.open.values_mut() {
            entry.told.clear();
        }
    }

    /// Takes new settings. Alerts stay as they are; receivers that are gone are forgotten.
    pub fn replace_settings(&mut self, settings: AlertSettings) {
        self.settings = settings;
        for entry in self.open.values_mut() {
            entry.told.retain(|receiver| self.settings.uses(receiver));
        }
    }

    /// How many alerts are open.
    pub fn open_count(&self) -> usize {
        self.open.len()
    }

    /// The open alerts.
    pub fn open_alerts(&self) -> impl Iterator<Item = &Alert> {
        self.open.values().map(|entry| &entry.alert)
    }

    /// Folds what the detector found.
    pub fn apply(&mut self, now: Timestamp, findings: &[FindingChange]) -> Changes {
        let mut step = Step::default();
        for change in findings {
            match change {
                FindingChange::Raised(finding) => self.raise(now, finding, &mut step),
                FindingChange::Cleared {
                    fingerprint,
                    at,
                    reason,
                } => self.end(now, *fingerprint, &Ending::Cleared { at: *at, reason }, &mut step),
                // Counted and listed by the store; nobody is told.
                FindingChange::Suppressed { .. } => {}
            }
        }
        self.finish(now, step)
    }

    /// What is due because time passed: repeats, alerts that nobody was told of yet, and the end of old ones.
    pub fn tick(&mut self, now: Timestamp) -> Changes {
        let mut step = Step::default();
        let mut expired = Vec::new();
        for (fingerprint, entry) in &mut self.open {
            if self.settings.expires(&entry.alert, now) {
                expired.push(*fingerprint);
                continue;
            }
            let routed = self
                .settings
                .receivers(&entry.alert.finding.check, entry.alert.severity);
            let due = self.settings.is_due(&entry.alert, now);
            let changed = entry.different.is_due(now);
            if changed {
                entry.changed(now);
            }
            for receiver in routed {
                if !entry.told.contains(&receiver) {
                    step.tell(*fingerprint, receiver, NotifyReason::New);
                } else if changed {
                    step.tell(*fingerprint, receiver, NotifyReason::Changed);
                } else if due {
                    step.tell(*fingerprint, receiver, NotifyReason::Repeat);
                }
            }
        }
        for fingerprint in expired {
            self.end(now, fingerprint, &Ending::Expired, &mut step);
        }
        self.finish(now, step)
    }

    /// The message for the fallback receiver after `failed` could not be delivered; `None` where there is no other
    /// receiver. If it opens something there, its end will be told there too.
    pub fn fall_back(&mut self, now: Timestamp, failed: &Notification) -> Option<Notification> {
        let fallback = self.settings.fallback.clone()?;
        if failed.receiver == fallback || failed.reason == NotifyReason::Fallback {
            return None;
        }
        if failed.action == NotifyAction::Trigger {
            self.told(failed.fingerprint, failed.episode, &fallback);
        }
        let mut message = failed.message.clone();
        message.alerted_at = now;
        message
            .lifecycle
            .push((label::INSTEAD_OF, failed.receiver.to_string()));
        Some(Notification {
            receiver: fallback,
            reason: NotifyReason::Fallback,
            message,
            ..failed.clone()
        })
    }

    /// Remembers that a receiver knows of an open alert: for messages that were sent before a restart by another way
    /// than the routes. Ignored if that episode is over.
    pub fn told(&mut self, fingerprint: Fingerprint, episode: u32, receiver: &ReceiverId) {
        if let Some(entry) = self.open.get_mut(&fingerprint)
            && entry.alert.episode == episode
            && !entry.told.contains(receiver)
        {
            entry.told.push(receiver.clone());
        }
    }

    fn raise(&mut self, now: Timestamp, finding: &Finding, step: &mut Step) {
        // The records stay with the finding in the store; an alert lives long and needs no copy of them.
        let mut finding = Finding {
            raw: Vec::new(),
            ..finding.clone()
        };
        if !self.open.contains_key(&finding.fingerprint) && self.open.len() >= self.settings.max_open {
            finding = overflow(finding, self.settings.max_open);
        }
        let fingerprint = finding.fingerprint;
        step.touched.insert(fingerprint);
        let Some(entry) = self.open.get_mut(&fingerprint) else {
            let entry = self.opened(now, finding);
            for receiver in self
                .settings
                .receivers(&entry.alert.finding.check, entry.alert.severity)
            {
                step.tell(fingerprint, receiver, NotifyReason::New);
            }
            self.open.insert(fingerprint, entry);
            return;
        };
        let folded = fold(&mut entry.alert, finding);
        if folded == Folded::Different {
            entry.different.note();
        }
        let changed = folded == Folded::Risen || entry.different.is_due(now);
        if changed {
            entry.changed(now);
        }
        let due = self.settings.is_due(&entry.alert, now);
        for receiver in self
            .settings
            .receivers(&entry.alert.finding.check, entry.alert.severity)
        {
            let reason = match (entry.told.contains(&receiver), changed, due) {
                (true, true, _) => NotifyReason::Changed,
                (true, false, true) => NotifyReason::Repeat,
                (true, false, false) => continue,
                (false, _, _) => NotifyReason::New,
            };
            step.tell(fingerprint, receiver, reason);
        }
    }

    fn opened(&mut self, now: Timestamp, finding: Finding) -> OpenAlert {
        let (episode, ended) = self.closed.reopen(finding.fingerprint);
        let back_after = ended
            .map(|ended| now.since(ended))
            .filter(|span| *span < FLAPPING);
        OpenAlert {
            alert: Alert {
                fingerprint: finding.fingerprint,
                episode,
                state: AlertState::Open,
                severity: finding.severity,
                first: finding.time,
                last: finding.time,
                opened_at: now,
                notified_at: None,
                count: 1,
                finding,
            },
            told: Vec::new(),
            back_after,
            different: Different::default(),
        }
    }

    fn end(&mut self, now: Timestamp, fingerprint: Fingerprint, ending: &Ending<'_>, step: &mut Step) {
        // What was opened in this very step is told before its end.
        self.flush(now, fingerprint, step);
        let Some(mut entry) = self.open.remove(&fingerprint) else {
            return;
        };
        let (state, reason) = match ending {
            Ending::Expired => (AlertState::Resolved, NotifyReason::Resolved),
            Ending::Cleared { reason, .. } => match reason {
                ClearReason::Repaired | ClearReason::ResourceGone | ClearReason::SourceReturned => {
                    (AlertState::Resolved, NotifyReason::Resolved)
                }
                ClearReason::RevertedBy(_) => (AlertState::Reverted, NotifyReason::Reverted),
                ClearReason::Excepted => (AlertState::Excepted, NotifyReason::Excepted),
            },
        };
        entry.alert.state = state;
        if !entry.told.is_empty() {
            entry.alert.notified_at = Some(now);
        }
        let telling = Telling {
            reason,
            ending: Some(ending),
            back_after: entry.back_after,
        };
        for receiver in &entry.told {
            let notification =
                self.notification(&entry.alert, receiver, NotifyAction::Resolve, &telling, now);
            step.changes.notifications.push(notification);
        }
        self.closed.remember(fingerprint, entry.alert.episode, Some(now));
        step.touched.remove(&fingerprint);
        step.changes.alerts.push(entry.alert);
    }

    fn notification(
        &self,
        alert: &Alert,
        receiver: &ReceiverId,
        action: NotifyAction,
        telling: &Telling<'_>,
        now: Timestamp,
    ) -> Notification {
        Notification {
            fingerprint: alert.fingerprint,
            episode: alert.episode,
            finding: alert.finding.id.clone(),
            receiver: receiver.clone(),
            reason: telling.reason,
            action,
            severity: alert.severity,
            message: compose(&self.settings.links, alert, telling, now),
        }
    }

    /// Turns what is pending about one alert into messages.
    fn flush(&mut self, now: Timestamp, fingerprint: Fingerprint, step: &mut Step) {
        let Some(pending) = step.pending.remove(&fingerprint) else {
            return;
        };
        let Some(entry) = self.open.get_mut(&fingerprint) else {
            return;
        };
        entry.alert.notified_at = Some(now);
        for (receiver, _) in &pending {
            if !entry.told.contains(receiver) {
                entry.told.push(receiver.clone());
            }
        }
        let entry = &self.open[&fingerprint];
        for (receiver, reason) in pending {
            let telling = Telling {
                reason,
                ending: None,
                back_after: entry.back_after,
            };
            let notification =
                self.notification(&entry.alert, &receiver, NotifyAction::Trigger, &telling, now);
            step.changes.notifications.push(notification);
        }
        step.touched.insert(fingerprint);
    }

    fn finish(&mut self, now: Timestamp, mut step: Step) -> Changes {
        let pending: Vec<Fingerprint> = step.pending.keys().copied().collect();
        for fingerprint in pending {
            self.flush(now, fingerprint, &mut step);
        }
        for fingerprint in &step.touched {
            if let Some(entry) = self.open.get(fingerprint) {
                step.changes.alerts.push(entry.alert.clone());
            }
        }
        // Stable: the messages about one alert keep their order, as they all carry its severity of this step.
        step.changes
            .notifications
            .sort_by_key(|notification| std::cmp::Reverse(notification.severity));
        step.changes
    }
}

impl OpenAlert {
    /// Notes that a change is told. What was acknowledged is not what it is now.
    fn changed(&mut self, now: Timestamp) {
        self.different.tell(now);
        if self.alert.state == AlertState::Acknowledged {
            self.alert.state = AlertState::Open;
        }
    }
}

impl Step {
    /// One message for each receiver: the first reason of the step stays, the message is made at its end.
    fn tell(&mut self, fingerprint: Fingerprint, receiver: ReceiverId, reason: NotifyReason) {
        let pending = self.pending.entry(fingerprint).or_default();
        if pending.iter().all(|(known, _)| *known != receiver) {
            pending.push((receiver, reason));
        }
    }
}

impl AlertSettings {
    fn is_due(&self, alert: &Alert, now: Timestamp) -> bool {
        let (AlertState::Open, Some(last), Some(after)) = (
            alert.state,
            alert.notified_at,
            self.repeat_after.of(alert.severity),
        ) else {
            return false;
        };
        now.since(last) >= after
    }

    fn expires(&self, alert: &Alert, now: Timestamp) -> bool {
        let Some(after) = self.expire_events_after else {
            return false;
        };
        let quiet_since = alert.last.max(alert.opened_at);
        alert.finding.kind == FindingKind::Event
            && alert.severity <= Severity::Medium
            && now.since(quiet_since) >= after
    }
}

#[cfg(test)]
mod tests;
