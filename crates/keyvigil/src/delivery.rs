//! Delivers what lies in the outbox: one task a receiver. Deciding what happens after an attempt is pure
//! ([`after_failure`]); the loop claims, sends and settles.
//!
//! A row is marked as being sent before the request leaves. If the process dies in between, the row comes back as one of
//! which nobody knows whether it arrived, and the receiver's nature decides how it is repeated. The same happens when only
//! this task dies: it begins by recovering what the one before it left behind.

use std::sync::Arc;
use std::time::Duration;

use keyvigil_connector::call::{CallContext, Clock, Unlimited};
use keyvigil_connector::failure::{CallError, FailureClass};
use keyvigil_connector::notifier::{Notifier, OnAmbiguous, Receiver};
use keyvigil_model::alert::NotifyReason;
use keyvigil_model::time::Timestamp;
use keyvigil_store::commit::{OutboxId, OutboxRow, Settlement};
use keyvigil_store::{Store, StoreError, failpoint};
use tokio::sync::{Notify, mpsc};

use crate::admin::Readiness;
use crate::metrics::Metrics;
use crate::pipeline::Command;
use crate::supervisor::{Stop, stopped};

/// The outbox is looked at this often even if nobody says that it was filled: retries become due by themselves.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A request takes at most this long.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// A message that could not be delivered for so many attempts is given up: with the longest waits of today's
/// receivers this takes about a day.
const MAX_ATTEMPTS: u32 = 288;

/// Delivers to one receiver.
pub struct Delivery {
    /// The receiver.
    pub notifier: Arc<dyn Notifier>,
    /// Where the outbox is.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Rings when the outbox was filled.
    pub outbox_filled: Arc<Notify>,
    /// Where messages go that are given up.
    pub pipeline: mpsc::Sender<Command>,
    /// What is counted.
    pub metrics: Metrics,
    /// Whether anybody can be told anything.
    pub readiness: Arc<Readiness>,
}

/// What a failed attempt leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reaction {
    /// The message waits; so does everything else for this receiver if it asked for that.
    Later {
        /// How the row is settled.
        settlement: Settlement,
        /// How long the whole receiver is left alone.
        pause: Duration,
    },
    /// The message is given up.
    GiveUp,
}

/// What has to be written before the next message is claimed. Otherwise a row would stay as being sent, and everything
/// about its alert would wait behind it.
enum Owed {
    Nothing,
    /// Rows may be marked as being sent that nobody is sending.
    Recovery,
    /// An attempt ended, and the store could not take it down.
    Settlement(OutboxId, Settlement, Timestamp),
}

impl Delivery {
    /// Runs until the daemon stops. What is left in the outbox is delivered after the next start.
    pub async fn run(self: Arc<Self>, mut stop: Stop) {
        let mut owed = Owed::Recovery;
        while !*stop.borrow() {
            // Registered before looking: a row that is committed after the look still rings.
            let filled = self.outbox_filled.notified();
            let pause = match self.step(&mut owed).await {
                Ok(Some(pause)) => pause,
                Ok(None) => {
                    tokio::select! {
                        () = filled => {}
                        () = tokio::time::sleep(LOOK_EVERY) => {}
                        () = stopped(&mut stop) => return,
                    }
                    continue;
                }
                Err(error) => {
                    tracing::error!(receiver = %self.receiver().id, %error, "the outbox cannot be read or written");
                    LOOK_EVERY
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stopped(&mut stop) => return,
            }
        }
    }

    fn receiver(&self) -> &Receiver {
        self.notifier.receiver()
    }

    /// Delivers one message. Returns how long to leave the receiver alone; `None` if nothing is due.
    async fn step(&self, owed: &mut Owed) -> Result<Option<Duration>, StoreError> {
        let receiver = self.receiver();
        self.pay(owed).await?;
        self.export_oldest().await?;
        // A claim that failed may have been written all the same.
        *owed = Owed::Recovery;
        let claimed = self.store.claim_outbox(&receiver.id, self.clock.now(), 1).await?;
        *owed = Owed::Nothing;
        let Some(mut row) = claimed.into_iter().next() else {
            return Ok(None);
        };
        if row.was_unknown && receiver.on_ambiguous == OnAmbiguous::RepeatMarked {
            row.notification.reason = NotifyReason::PossibleDuplicate;
        }
        failpoint::hit("send_before");
        let call = CallContext {
            now: self.clock.now(),
            timeout: REQUEST_TIMEOUT,
            budget: Arc::new(Unlimited),
        };
        let result = self.notifier.notify(&call, &row.notification).await;
        failpoint::hit("send_after_before_mark");
        let now = self.clock.now();
        let pause = match result {
            Ok(()) => {
                self.count_sent(&row, now);
                *owed = Owed::Settlement(row.id, Settlement::Sent, now);
                receiver.min_interval
            }
            Err(error) => self.take_failure(row, &error, now, owed).await,
        };
        match self.pay(owed).await {
            Ok(()) => Ok(Some(pause)),
            Err(error) => {
                tracing::error!(receiver = %receiver.id, %error, "what became of a message cannot be written yet");
                Ok(Some(pause.max(LOOK_EVERY)))
            }
        }
    }

    /// Writes what is owed. After an error it is still owed.
    async fn pay(&self, owed: &mut Owed) -> Result<(), StoreError> {
        match owed {
            Owed::Nothing => {}
            Owed::Recovery => {
                let id = &self.receiver().id;
                let recovered = self.store.recover_outbox_of(id, self.clock.now()).await?;
                if recovered > 0 {
                    tracing::warn!(receiver = %id, recovered, "attempts were cut off; whether they arrived is unknown");
                }
            }
            Owed::Settlement(id, settlement, at) => {
                self.store.settle_outbox(*id, settlement.clone(), *at).await?;
            }
        }
        *owed = Owed::Nothing;
        Ok(())
    }

    /// Decides what a failed attempt leads to. Returns how long to leave the receiver alone.
    async fn take_failure(
        &self,
        row: OutboxRow,
        error: &CallError,
        now: Timestamp,
        owed: &mut Owed,
    ) -> Duration {
        let receiver = self.receiver();
        let labels = [receiver.integration, receiver.id.as_str(), error.class.as_str()];
        self.metrics.notifications_failed.with_label_values(&labels).inc();
        self.readiness.delivery_fails(now);
        tracing::warn!(receiver = %receiver.id, %error, attempt = row.attempts, "a message was not delivered");
        match after_failure(error, row.attempts, receiver, now) {
            Reaction::Later { settlement, pause } => {
                *owed = Owed::Settlement(row.id, settlement, now);
                pause.max(receiver.min_interval)
            }
            Reaction::GiveUp => {
                let command = Command::GaveUp {
                    id: row.id,
                    notification: Box::new(row.notification),
                    error: error.to_string(),
                };
                // If the pipeline is gone, the row stays as being sent and is recovered at the next start.
                if self.pipeline.send(command).await.is_err() {
                    tracing::warn!(receiver = %receiver.id, "stopping: a message stays in the outbox");
                }
                receiver.min_interval
            }
        }
    }

    fn count_sent(&self, row: &OutboxRow, now: Timestamp) {
        let receiver = self.receiver();
        self.readiness.delivery_works();
        self.metrics
            .notifications
            .with_label_values(&[receiver.integration, receiver.id.as_str()])
            .inc();
        let waited = now.since(row.notification.message.alerted_at).as_secs_f64();
        self.metrics
            .notification_latency
            .with_label_values(&[receiver.integration])
            .observe(waited);
    }

    async fn export_oldest(&self) -> Result<(), StoreError> {
        let id = &self.receiver().id;
        let oldest = self.store.outbox_oldest(Some(id)).await?;
        let seconds = oldest.map_or(0.0, |time| time.as_secs() as f64);
        self.metrics
            .notification_oldest_pending_timestamp
            .with_label_values(&[id.as_str()])
            .set(seconds);
        Ok(())
    }
}

/// What to do after a failed attempt.
///
/// A throttled receiver is left alone as a whole, at least as long as it asked for: sending on can get an app disabled
/// (Slack, rate limits). A request that is wrong stays wrong: it is given up at once and goes to the fallback.
pub fn after_failure(error: &CallError, attempts: u32, receiver: &Receiver, now: Timestamp) -> Reaction {
    let backoff = backoff(attempts, receiver);
    let message = error.to_string();
    match error.class {
        FailureClass::Permanent
        | FailureClass::Denied
        | FailureClass::Unauthenticated
        | FailureClass::NotFound => Reaction::GiveUp,
        FailureClass::Throttled(_) | FailureClass::Transient | FailureClass::Unreadable
            if attempts >= MAX_ATTEMPTS =>
        {
            Reaction::GiveUp
        }
        FailureClass::Throttled(retry_after) => {
            let pause = retry_after.unwrap_or(backoff);
            Reaction::Later {
                settlement: Settlement::Retry {
                    at: now.plus(pause),
                    error: message,
                },
                pause,
            }
        }
        // A timeout or a broken connection says nothing about whether the message arrived.
        FailureClass::Transient | FailureClass::Unreadable => Reaction::Later {
            settlement: Settlement::Unknown {
                at: now.plus(backoff),
                error: message,
            },
            pause: receiver.min_interval,
        },
    }
}

/// Doubles from the receiver's first wait to its longest.
fn backoff(attempts: u32, receiver: &Receiver) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    receiver
        .first_backoff
        .saturating_mul(1 << doublings)
        .min(receiver.max_backoff)
}

#[cfg(test)]
mod tests;
