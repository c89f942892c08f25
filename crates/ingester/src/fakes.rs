//! Fakes for the tests of the drivers: a pipeline that remembers, events, objects that are lines of numbers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use keyvigil_bus::{Committed, Observation, Subscriber, topic};
use keyvigil_connector::call::Unlimited;
use keyvigil_connector::object_log::{DecodeSummary, Decoded, Decoder, EncodedObject};
use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::batch::{QuarantineReason, Quarantined};
use keyvigil_model::event::{AuditEvent, Network, Outcome, Via};
use keyvigil_model::facts::Facts;
use keyvigil_model::health::SightState;
use keyvigil_model::id::{AccountId, DedupeKey, EventId, PrincipalId, Region};
use keyvigil_model::principal::Principal;
use keyvigil_model::provider::Provider;
use keyvigil_model::time::Timestamp;
use tokio::sync::watch;

use crate::clock::TokioClock;
use crate::driver::Driver;
use crate::memory::InMemory;
use crate::metrics::SourceMetrics;

/// When every test begins.
pub(crate) const START: Timestamp = Timestamp::from_secs(1_700_000_000);

/// Whether the pipeline commits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Mood {
    #[default]
    Commits,
    Refuses,
}

/// What the pipeline committed, which outlives every driver.
#[derive(Clone, Default)]
pub(crate) struct World {
    pub(crate) memory: InMemory,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
pub(crate) struct Inner {
    /// How often each event was published.
    pub(crate) seen: BTreeMap<String, u64>,
    pub(crate) quarantined: Vec<Quarantined>,
    pub(crate) health: Vec<SightState>,
    /// What happened, in order: `commit 1`, `object k`, `ack m`.
    pub(crate) trace: Vec<String>,
    pub(crate) mood: Mood,
}

/// One life of the process: a driver, its switch, and its pipeline.
pub(crate) struct Life {
    pub(crate) driver: Driver,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) metrics: Arc<SourceMetrics>,
    pipeline: tokio::task::JoinHandle<()>,
}

impl Drop for Life {
    fn drop(&mut self) {
        self.pipeline.abort();
    }
}

impl World {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub(crate) fn trace(&self, line: String) {
        self.lock().trace.push(line);
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.lock().mood = mood;
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        self.lock().seen.keys().cloned().collect()
    }

    pub(crate) fn reasons(&self) -> Vec<QuarantineReason> {
        self.lock().quarantined.iter().map(|kept| kept.reason).collect()
    }

    /// Starts a process over what is remembered.
    pub(crate) fn live(&self, clock: TokioClock) -> Life {
        let (publisher, subscriber) = topic(4);
        let (stop, shutdown) = watch::channel(false);
        let (_, wanted) = watch::channel(ActionSet::keys_and_secrets());
        let metrics = Arc::new(SourceMetrics::default());
        let driver = Driver {
            publisher,
            memory: Arc::new(self.memory.clone()),
            clock: Arc::new(clock),
            budget: Arc::new(Unlimited),
            wanted,
            shutdown,
            metrics: Arc::clone(&metrics),
        };
        let pipeline = tokio::spawn(self.clone().commit_all(subscriber));
        Life {
            driver,
            stop,
            metrics,
            pipeline,
        }
    }

    async fn commit_all(self, mut subscriber: Subscriber) {
        while let Some(delivery) = subscriber.next().await {
            let mut inner = self.lock();
            if inner.mood == Mood::Refuses {
                continue;
            }
            let mut counts = Committed::default();
            match &delivery.observation {
                Observation::Batch(batch) => {
                    self.memory.commit(batch);
                    for event in &batch.events {
                        let times = inner.seen.entry(event.id.to_string()).or_default();
                        *times += 1;
                        match *times {
                            1 => counts.new_events += 1,
                            _ => counts.duplicates += 1,
                        }
                        let line = format!("commit {}", event.id);
                        inner.trace.push(line);
                    }
                    for object in &batch.objects {
                        let line = format!("object {}", object.key);
                        inner.trace.push(line);
                    }
                    inner.quarantined.extend(batch.quarantined.iter().cloned());
                }
                Observation::Health(health) => inner.health.push(health.state.clone()),
                Observation::Snapshot(_) => {}
            }
            drop(inner);
            delivery.acknowledge(counts);
        }
    }
}

pub(crate) fn event(id: &str, time: Timestamp) -> AuditEvent {
    AuditEvent {
        id: EventId::from(id),
        dedupe: DedupeKey::of(&[id.as_bytes()]),
        time,
        provider: Provider::Aws,
        account: AccountId::from("111122223333"),
        region: Region::from("eu-west-1"),
        service: "kms.amazonaws.com".into(),
        operation: "Decrypt".into(),
        action: Action::KeyDecrypt,
        outcome: Outcome::Success,
        error_code: None,
        principal: Principal::unknown(PrincipalId::from("p")),
        via: Via::default(),
        network: Network::default(),
        keys: Vec::new(),
        resource: None,
        encryption_context: Vec::new(),
        facts: Facts::None,
        shared_id: None,
        amends: None,
        truncated: false,
        raw: Arc::from([]),
    }
}

/// An object is words; each word is the id of an event, two words a piece. `boom` kills the decoder, `junk` is a
/// record that cannot be read.
pub(crate) struct Words;

impl Decoder for Words {
    fn decode(&self, object: &EncodedObject<'_>, sink: &mut dyn FnMut(Decoded)) -> DecodeSummary {
        let text = String::from_utf8_lossy(object.bytes);
        let words: Vec<&str> = text.split_whitespace().collect();
        for pair in words.chunks(2) {
            let mut piece = Decoded::default();
            for word in pair {
                assert_ne!(*word, "boom", "this kills the decoder");
                if *word == "junk" {
                    piece.quarantined.push(Quarantined {
                        origin: object.origin.into(),
                        reason: QuarantineReason::NotJson,
                        detail: "junk".into(),
                        bytes: Arc::from(word.as_bytes()),
                    });
                } else {
                    piece.events.push(event(word, START));
                }
            }
            sink(piece);
        }
        DecodeSummary {
            records: words.len() as u64,
            bytes: object.bytes.len() as u64,
            sha256: [0; 32],
            coverage: Vec::new(),
        }
    }
}
