//! The pipeline: one task that owns what keyvigil knows. Observations come in, one transaction goes out, and only then
//! is the source told that it may forget.
//!
//! Deciding is in [`core`] and pure but for the clock's value; this file receives, commits and acknowledges.

pub mod core;
mod ledger;
mod stock;
mod tally;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use keyvigil_alerting::AlertSettings;
use keyvigil_bus::{Committed, Delivery, Observation, Subscriber};
use keyvigil_connector::call::Clock;
use keyvigil_detector::Policy;
use keyvigil_model::alert::Notification;
use keyvigil_model::id::{DedupeKey, SourceId};
use keyvigil_model::resource::RepollRequest;
use keyvigil_model::snapshot::{Family, SnapshotScope};
use keyvigil_store::commit::{AuditRow, OutboxId, Settlement};
use keyvigil_store::view::Retention;
use keyvigil_store::{Commit, Store, StoreError};
use tokio::sync::{Mutex, Notify, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

use self::core::Core;
use crate::admin::Readiness;
use crate::metrics::Metrics;
use crate::supervisor::{Stop, stopped};

/// Timers and repeats are looked at this often.
const TICK: Duration = Duration::from_secs(5);
/// After a commit that failed, the next attempt waits this long.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Observations are joined into one transaction up to this many events: one fsync for all of them.
const EVENTS_PER_COMMIT: usize = 2_000;
/// A command whose commit fails is tried so often; then it is dropped, so that it cannot hold up everything else.
const COMMAND_TRIES: u32 = 5;
/// What the store holds is counted for the metrics this often.
const COUNT_EVERY: Duration = Duration::from_secs(15);
/// Old rows are removed and a backup is made this often.
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);

/// What others ask of the pipeline.
#[derive(Clone, Debug)]
pub enum Command {
    /// A new policy and new alert settings (SIGHUP).
    Reload(Box<Policy>, Box<AlertSettings>),
    /// A notification was given up: settle it and tell the fallback receiver.
    GaveUp {
        /// The row of the outbox.
        id: OutboxId,
        /// What could not be delivered.
        notification: Box<Notification>,
        /// Why.
        error: String,
    },
}

/// Everything that the pipeline works with. It can be started again at any time: what counts is in the store.
pub struct Pipeline {
    /// Where everything is written.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The policy and the alert settings in effect.
    pub settings: Mutex<(Policy, AlertSettings)>,
    /// Observations.
    pub observations: Mutex<Subscriber>,
    /// Commands.
    pub commands: Mutex<mpsc::Receiver<Command>>,
    /// Where resources go that must be read again.
    pub repolls: mpsc::Sender<RepollRequest>,
    /// Wakes the delivery after a commit with notifications.
    pub outbox_filled: Arc<Notify>,
    /// Sources of keys that were read at least once since the start: events wait for them.
    pub keys_seen: watch::Sender<BTreeSet<SourceId>>,
    /// What is counted.
    pub metrics: Metrics,
    /// Whether the daemon can work.
    pub readiness: Arc<Readiness>,
}

/// What the loop woke up for.
enum Wake {
    Delivery(Option<Delivery>),
    Command(Option<Command>),
    Tick,
    Stop,
}

impl Pipeline {
    /// Runs until the daemon stops and every publisher is gone.
    pub async fn run(self: Arc<Self>, mut stop: Stop) {
        // The guards make the task restartable: after a panic the next one takes over the same queues.
        let mut observations = self.observations.lock().await;
        let mut commands = self.commands.lock().await;
        let Some(mut core) = self.load_until_it_works(&stop).await else {
            return;
        };
        let mut closing = false;
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut upkeep = Upkeep::default();
        // A command whose commit failed: it must not be lost, nobody would ask again.
        let mut again: Option<Command> = None;
        let mut tries = 0;
        let mut commands_open = true;
        loop {
            let wake = tokio::select! {
                biased;
                command = commands.recv(), if commands_open => Wake::Command(command),
                _ = ticks.tick() => Wake::Tick,
                command = std::future::ready(again.take()), if again.is_some() => Wake::Command(command),
                delivery = observations.next() => Wake::Delivery(delivery),
                () = stopped(&mut stop), if !closing => Wake::Stop,
            };
            let mut commit = Commit::at(self.clock.now());
            let mut work = Work::default();
            match wake {
                Wake::Delivery(Some(first)) => {
                    self.take(&mut core, first, &mut observations, &mut commit, &mut work)
                        .await;
                }
                Wake::Delivery(None) => return,
                Wake::Stop => {
                    // Whoever still publishes is stopping too; what is queued already is finished below.
                    closing = true;
                    observations.close();
                    continue;
                }
                Wake::Command(Some(command)) => {
                    tries += 1;
                    again = (tries < COMMAND_TRIES).then(|| command.clone());
                    self.obey(&mut core, command, &mut commit).await;
                }
                Wake::Command(None) => {
                    commands_open = false;
                    continue;
                }
                Wake::Tick => {
                    core.tick(&mut commit, &mut work.effects);
                    core.export_stock(commit.now, &self.metrics);
                    self.keep_up(&mut upkeep).await;
                }
            }
            if self.finish(commit, work).await {
                again = None;
                tries = 0;
            } else {
                match self.load_until_it_works(&stop).await {
                    Some(mut loaded) => {
                        std::mem::swap(&mut core, &mut loaded);
                        core.carry_over(loaded);
                    }
                    None => return,
                }
            }
        }
    }

    /// Takes an observation and as many more as are there and fit into one transaction.
    async fn take(
        &self,
        core: &mut Core,
        first: Delivery,
        observations: &mut Subscriber,
        commit: &mut Commit,
        work: &mut Work,
    ) {
        let started = Instant::now();
        let mut next = Some(first);
        while let Some(delivery) = next {
            let fresh = match self.fresh(&delivery.observation, &work.keys).await {
                Ok(fresh) => fresh,
                Err(error) => {
                    // Dropping the delivery tells its source to deliver again.
                    tracing::error!(%error, "cannot look up seen events");
                    break;
                }
            };
            self.note_keys(&delivery.observation);
            let result = core.observe(&delivery.observation, &fresh, commit, &mut work.effects);
            work.keys.extend(&fresh);
            work.deliveries.push((delivery, result));
            next = if commit.seen.len() < EVENTS_PER_COMMIT {
                observations.try_next()
            } else {
                None
            };
        }
        self.metrics
            .pipeline_duration
            .with_label_values(&["detect"])
            .observe(started.elapsed().as_secs_f64());
    }

    /// Remembers that the keys of an account and region are known now.
    fn note_keys(&self, observation: &Observation) {
        let Observation::Snapshot(snapshot) = observation else {
            return;
        };
        let (SnapshotScope::Complete(families) | SnapshotScope::Partial(families)) = &snapshot.scope else {
            return;
        };
        if families.contains(&Family::Keys) {
            self.keys_seen
                .send_if_modified(|seen| seen.insert(snapshot.source.clone()));
        }
    }

    /// Which events of the observation are new: neither stored nor earlier in this transaction.
    async fn fresh(
        &self,
        observation: &Observation,
        earlier: &HashSet<DedupeKey>,
    ) -> Result<HashSet<DedupeKey>, StoreError> {
        let Observation::Batch(batch) = observation else {
            return Ok(HashSet::new());
        };
        let keys: Vec<DedupeKey> = batch
            .events
            .iter()
            .map(|event| event.dedupe)
            .filter(|key| !earlier.contains(key))
            .collect();
        if keys.is_empty() {
            return Ok(HashSet::new());
        }
        self.store.unseen(&keys).await
    }

    /// Commits, then acknowledges and counts. `false`: nothing was written, and what the core believes is wrong now.
    async fn finish(&self, commit: Commit, work: Work) -> bool {
        let started = Instant::now();
        let has_notifications = !commit.outbox.is_empty();
        let now = commit.now;
        if let Err(error) = self.store.commit(commit).await {
            tracing::error!(%error, "commit failed; nothing is acknowledged, sources will deliver again");
            tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
            return false;
        }
        self.metrics
            .pipeline_duration
            .with_label_values(&["commit"])
            .observe(started.elapsed().as_secs_f64());
        self.readiness.pipeline_alive(now);
        let heartbeat = self
            .metrics
            .pipeline_heartbeat_timestamp
            .with_label_values(&["commit"]);
        heartbeat.set(now.as_secs() as f64);
        for (delivery, result) in work.deliveries {
            delivery.acknowledge(result);
        }
        if has_notifications {
            self.outbox_filled.notify_waiters();
        }
        work.effects.tally.export(&self.metrics);
        for repoll in work.effects.repolls {
            // A full channel is no loss: the regular poll comes, and an alert does not depend on it.
            if let Err(error) = self.repolls.try_send(repoll) {
                tracing::warn!(%error, "a targeted re-poll was not queued");
            }
        }
        true
    }

    async fn obey(&self, core: &mut Core, command: Command, commit: &mut Commit) {
        match command {
            Command::Reload(policy, alerts) => {
                *self.settings.lock().await = ((*policy).clone(), (*alerts).clone());
                core.reload(*policy, *alerts);
                commit.self_audit.push(AuditRow {
                    time: commit.now,
                    actor: String::from("keyvigil"),
                    action: String::from("config_loaded"),
                    data: String::from("reload"),
                });
            }
            Command::GaveUp {
                id,
                notification,
                error,
            } => {
                commit.settled.push((id, Settlement::Dead { error }));
                commit.outbox.extend(core.fall_back(commit.now, &notification));
            }
        }
    }

    /// Starts from the store. A store that cannot be read now may be readable in a moment (a full disk, a lock).
    /// `None`: the daemon stops.
    async fn load_until_it_works(&self, stop: &Stop) -> Option<Core> {
        loop {
            let (policy, alerts) = self.settings.lock().await.clone();
            match Core::load(&self.store, policy, alerts).await {
                Ok((core, problems)) => {
                    for problem in problems {
                        tracing::warn!(%problem, "a row of saved state is left out");
                    }
                    return Some(core);
                }
                Err(error) => tracing::error!(%error, "cannot load state"),
            }
            if *stop.borrow() {
                return None;
            }
            tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
        }
    }

    /// What is done now and then, beside the work.
    async fn keep_up(&self, upkeep: &mut Upkeep) {
        if is_due(&mut upkeep.counted, COUNT_EVERY) {
            self.export_counts().await;
        }
        if is_due(&mut upkeep.pruned, PRUNE_EVERY) {
            match self.store.prune(self.clock.now(), &Retention::default()).await {
                Ok(pruned) => tracing::debug!(?pruned, "old rows removed"),
                Err(error) => tracing::warn!(%error, "old rows could not be removed"),
            }
            if let Err(error) = self.store.backup().await {
                tracing::warn!(%error, "no backup of the store was made");
            }
        }
    }

    async fn export_counts(&self) {
        match self.store.counts().await {
            Ok(counts) => tally::export_counts(&counts, &self.metrics),
            Err(error) => tracing::warn!(%error, "cannot count what is stored"),
        }
        if let Ok(size) = self.store.size().await {
            self.metrics
                .store_size
                .set(i64::try_from(size.database + size.wal).unwrap_or(i64::MAX));
        }
    }
}

/// When things were last done that are done now and then.
#[derive(Default)]
struct Upkeep {
    counted: Option<Instant>,
    pruned: Option<Instant>,
}

/// Whether `every` has passed since the last time; if so, now is the last time.
fn is_due(last: &mut Option<Instant>, every: Duration) -> bool {
    if last.is_some_and(|last| last.elapsed() < every) {
        return false;
    }
    *last = Some(Instant::now());
    true
}

/// What is held back until the commit.
#[derive(Default)]
struct Work {
    deliveries: Vec<(Delivery, Committed)>,
    keys: HashSet<DedupeKey>,
    effects: core::Effects,
}
