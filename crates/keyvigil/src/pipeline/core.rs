//! What the pipeline decides: the detector and the alert book, joined. Everything that they say goes into a `Commit`.

use std::collections::HashSet;

use keyvigil_alerting::{AlertBook, AlertSettings, Changes};
use keyvigil_bus::{Committed, Observation};
use keyvigil_detector::{Detector, Input, Policy, SavedState, StateProblem, Step};
use keyvigil_model::alert::Notification;
use keyvigil_model::batch::Batch;
use keyvigil_model::event::AuditEvent;
use keyvigil_model::finding::FindingChange;
use keyvigil_model::id::DedupeKey;
use keyvigil_model::resource::RepollRequest;
use keyvigil_model::time::Timestamp;
use keyvigil_store::commit::{Cleared, FindingRow, StateWrite};
use keyvigil_store::{Commit, Store, StoreError};

use super::tally::Tally;
use super::{ledger, stock};
use crate::metrics::Metrics;

/// What is to be done once the commit is through.
#[derive(Default)]
pub struct Effects {
    /// Resources to be read again now.
    pub repolls: Vec<RepollRequest>,
    /// What is counted.
    pub tally: Tally,
}

/// The detector and the alert book.
pub struct Core {
    detector: Detector,
    book: AlertBook,
    policy: Policy,
}

impl Core {
    /// Continues where the store stopped.
    pub async fn load(
        store: &Store,
        policy: Policy,
        alerts: AlertSettings,
    ) -> Result<(Self, Vec<StateProblem>), StoreError> {
        let saved = store.load_state().await?.into_iter().map(|row| SavedState {
            space: row.space,
            key: row.key,
            value: row.value,
        });
        let (detector, problems) = Detector::new(policy.clone(), saved);
        let mut book = AlertBook::new(alerts, store.latest_alerts().await?);
        book.forget_who_was_told();
        for told in store.told().await? {
            book.told(told.fingerprint, told.episode, &told.receiver);
        }
        Ok((
            Self {
                detector,
                book,
                policy,
            },
            problems,
        ))
    }

    /// Takes over what `before` had read of keys and resources: a state that was loaded again does not hold it.
    pub fn carry_over(&mut self, before: Self) {
        self.detector.carry_over(before.detector.into_inventory());
    }

    /// Takes a new policy and new alert settings; what is known stays.
    pub fn reload(&mut self, policy: Policy, alerts: AlertSettings) {
        self.policy = policy.clone();
        self.detector.replace_policy(policy);
        self.book.replace_settings(alerts);
    }

    /// Counts what there is.
    pub fn export_stock(&self, now: Timestamp, metrics: &Metrics) {
        stock::export(self.detector.inventory(), &self.policy, now, metrics);
    }

    /// The message for the fallback receiver.
    pub fn fall_back(&mut self, now: Timestamp, failed: &Notification) -> Option<Notification> {
        self.book.fall_back(now, failed)
    }

    /// Takes one observation. `fresh` holds the keys of the events that were never seen; others are counted only.
    pub fn observe(
        &mut self,
        observation: &Observation,
        fresh: &HashSet<DedupeKey>,
        commit: &mut Commit,
        effects: &mut Effects,
    ) -> Committed {
        match observation {
            Observation::Batch(batch) => self.observe_batch(batch, fresh, commit, effects),
            Observation::Snapshot(snapshot) => {
                let step = self.detector.step(commit.now, Input::Snapshot(snapshot));
                self.record(step, commit, effects);
                Committed::default()
            }
            Observation::Health(health) => {
                let step = self.detector.step(commit.now, Input::Health(health));
                self.record(step, commit, effects);
                Committed::default()
            }
        }
    }

    /// Time passed.
    pub fn tick(&mut self, commit: &mut Commit, effects: &mut Effects) {
        let step = self.detector.step(commit.now, Input::Tick);
        self.record(step, commit, effects);
        let changes = self.book.tick(commit.now);
        write_alerts(changes, commit);
    }

    fn observe_batch(
        &mut self,
        batch: &Batch,
        fresh: &HashSet<DedupeKey>,
        commit: &mut Commit,
        effects: &mut Effects,
    ) -> Committed {
        // A record can be twice in one batch: two trails that log the same event into one bucket.
        let mut left = fresh.clone();
        let events: Vec<AuditEvent> = batch
            .events
            .iter()
            .filter(|event| left.remove(&event.dedupe))
            .cloned()
            .collect();
        let result = Committed {
            new_events: events.len() as u64,
            duplicates: (batch.events.len() - events.len()) as u64,
        };
        effects.tally.batch(batch, &events, commit.now, result);
        commit.seen.extend(events.iter().map(|event| event.dedupe));
        ledger::record(&events, |key| self.detector.resolve(key), &mut commit.ledger);
        let source = &batch.source;
        commit
            .coverage
            .extend(batch.coverage.iter().map(|seen| (source.clone(), seen.clone())));
        commit.quarantined.extend(
            batch
                .quarantined
                .iter()
                .map(|record| (source.clone(), record.clone())),
        );
        commit.checkpoints.extend(batch.checkpoints.iter().cloned());
        commit.objects.extend(
            batch
                .objects
                .iter()
                .map(|object| (source.clone(), object.clone())),
        );
        if !batch.coverage.is_empty() {
            let seen = Input::Coverage {
                source,
                provider: batch.provider,
                seen: &batch.coverage,
            };
            let step = self.detector.step(commit.now, seen);
            self.record(step, commit, effects);
        }
        if !events.is_empty() {
            let step = self.detector.step(
                commit.now,
                Input::Events {
                    source,
                    events: &events,
                },
            );
            self.record(step, commit, effects);
        }
        result
    }

    /// Puts everything that a step of the detector said into the commit, and tells the alert book.
    fn record(&mut self, step: Step, commit: &mut Commit, effects: &mut Effects) {
        effects.tally.findings(&step.findings, commit.now);
        let changes = self.book.apply(commit.now, &step.findings);
        for change in step.findings {
            match change {
                FindingChange::Raised(finding) => {
                    commit.findings.push(FindingRow {
                        finding: *finding,
                        suppressed_by: None,
                    });
                }
                FindingChange::Suppressed { finding, by } => {
                    commit.findings.push(FindingRow {
                        finding: *finding,
                        suppressed_by: Some(by),
                    });
                }
                FindingChange::Cleared {
                    fingerprint,
                    at,
                    reason,
                } => {
                    commit.cleared.push(Cleared {
                        fingerprint,
                        at,
                        reason,
                    });
                }
            }
        }
        write_alerts(changes, commit);
        commit.judgements.extend(step.judgements);
        commit.withdrawn.extend(step.withdrawn);
        commit
            .state
            .extend(step.state.into_iter().map(|change| StateWrite {
                space: change.space.to_owned(),
                key: change.key,
                value: change.value,
            }));
        effects.repolls.extend(step.repolls);
    }
}

fn write_alerts(changes: Changes, commit: &mut Commit) {
    commit.alerts.extend(changes.alerts);
    commit.outbox.extend(changes.notifications);
}
