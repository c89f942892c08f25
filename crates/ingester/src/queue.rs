//! Drives an [`ObjectQueue`]: receive, keep hidden while in work, read the objects, acknowledge after the commit.
//!
//! A message ends in one of two ways. *Acknowledged*: everything it announced is committed, as events or in
//! quarantine. *Left*: it becomes visible again and is delivered once more. An object that may not be read is left
//! four times; with the fifth delivery it goes to quarantine, and the hourly listing keeps trying it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyvigil_connector::failure::{CallError, FailureClass};
use keyvigil_connector::object_log::{MessageBody, ObjectQueue, ObjectRef, QueueMessage};
use keyvigil_model::batch::QuarantineReason;
use keyvigil_store::failpoint::hit;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::driver::{Driver, Step, stopped, wait_after};
use crate::object::{Finished, ObjectLog, Unfinished};

/// How a queue is read.
#[derive(Clone, Debug)]
pub struct QueueSettings {
    /// Messages in work at the same time.
    pub slots: usize,
    /// How long to wait for messages in one call; SQS allows 20 s at most.
    pub receive_wait: Duration,
    /// For an extension or an acknowledgement.
    pub call_timeout: Duration,
    /// A message in work for longer is parked. SQS itself ends at 12 h.
    pub hard_limit: Duration,
    /// With this delivery, what still cannot be read goes to quarantine.
    pub max_deliveries: u32,
    /// How long work may go on after the process was asked to stop.
    pub grace: Duration,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            slots: 4,
            receive_wait: Duration::from_secs(20),
            call_timeout: Duration::from_secs(30),
            hard_limit: Duration::from_secs(2 * 3_600),
            max_deliveries: 5,
            grace: Duration::from_secs(10),
        }
    }
}

/// Reads the queue until shutdown.
///
/// Then it takes no more messages, gives those back that it had not begun, and lets the others end within the grace.
pub async fn run(queue: Arc<dyn ObjectQueue>, log: Arc<ObjectLog>, settings: QueueSettings) {
    let consumer = Arc::new(Consumer {
        slots: Semaphore::new(settings.slots.max(1)),
        driver: log.driver.clone(),
        in_flight: Mutex::default(),
        queue,
        log,
        settings,
    });
    let mut tasks = JoinSet::new();
    let intake = consumer.intake(&mut tasks);
    consumer.driver.until_shutdown(intake).await;
    let drained = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(consumer.settings.grace, drained)
        .await
        .is_err()
    {
        tracing::info!("messages still in work are left: they will be delivered again");
    }
    tasks.shutdown().await;
    consumer.log.forgive().await;
}

struct Consumer {
    queue: Arc<dyn ObjectQueue>,
    log: Arc<ObjectLog>,
    settings: QueueSettings,
    driver: Driver,
    slots: Semaphore,
    /// Messages in our hands, by id: a second delivery of one of them is not worked on.
    in_flight: Mutex<HashSet<Arc<str>>>,
}

/// How the work on a message ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ended {
    /// Everything in it is committed.
    Acknowledge,
    /// It is to be delivered again; a reason to receive more slowly, where there is one.
    Leave(Option<FailureClass>),
    /// The process stops before the work on it has begun.
    GiveBack,
}

impl Consumer {
    async fn intake(self: &Arc<Self>, tasks: &mut JoinSet<Ended>) {
        let mut trouble = 0;
        loop {
            // One free slot at least, so that what is received is soon worked on.
            let mut class = None;
            while tasks.len() >= self.settings.slots.max(1) {
                let Some(ended) = tasks.join_next().await else {
                    break;
                };
                class = class.or(slows(ended));
            }
            while let Some(ended) = tasks.try_join_next() {
                class = class.or(slows(ended));
            }
            match class {
                Some(class) => {
                    trouble += 1;
                    tokio::time::sleep(wait_after(class, trouble)).await;
                }
                None => trouble = 0,
            }
            for message in self.receive().await {
                if self.take(&message) {
                    let consumer = Arc::clone(self);
                    tasks.spawn(async move { consumer.handle(message).await });
                }
            }
        }
    }

    /// The next messages; waits out failures.
    async fn receive(&self) -> Vec<QueueMessage> {
        let mut attempt = 0;
        loop {
            let call = self.driver.call(self.settings.receive_wait);
            let limit = self.settings.receive_wait * 2 + self.settings.call_timeout;
            let error = match tokio::time::timeout(limit, self.queue.receive(&call)).await {
                Ok(Ok(messages)) => {
                    if !messages.is_empty() {
                        hit("recv_before_parse");
                    }
                    self.log.sight.seeing(&self.driver, Step::Receive).await;
                    return messages;
                }
                Ok(Err(error)) => error,
                Err(_) => CallError::new(FailureClass::Transient, "receive", "no answer in time"),
            };
            self.log.sight.failed(&self.driver, Step::Receive, &error).await;
            attempt += 1;
            tokio::time::sleep(wait_after(error.class, attempt)).await;
        }
    }

    fn take(&self, message: &QueueMessage) -> bool {
        let mut in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        in_flight.insert(Arc::clone(&message.id))
    }

    async fn handle(&self, message: QueueMessage) -> Ended {
        let _held = self.driver.metrics.in_flight.hold();
        let _hands = InHands {
            consumer: self,
            id: &message.id,
        };
        let reading = AtomicUsize::new(0);
        let ended = tokio::select! {
            biased;
            ended = self.work(&message, &reading) => ended,
            () = self.heartbeat(&message) => self.park(&message, &reading).await,
        };
        match ended {
            Ended::Acknowledge => {
                hit("before_ack");
                self.acknowledge(&message).await;
                hit("after_ack");
            }
            Ended::Leave(_) => self.driver.metrics.left.add(1),
            Ended::GiveBack => {
                let call = self.driver.call(self.settings.call_timeout);
                // If this fails the message becomes visible by itself, a little later.
                let _later = self
                    .queue
                    .extend(&call, &message.receipt, Duration::ZERO)
                    .await
                    .is_err();
            }
        }
        ended
    }

    async fn work(&self, message: &QueueMessage, reading: &AtomicUsize) -> Ended {
        let mut shutdown = self.driver.shutdown.clone();
        let slot = tokio::select! {
            biased;
            () = stopped(&mut shutdown) => return Ended::GiveBack,
            slot = self.slots.acquire() => slot,
        };
        let _slot = slot;
        match &message.body {
            MessageBody::Nothing(reason) => {
                tracing::debug!(message = %message.id, reason, "a message without objects");
                Ended::Acknowledge
            }
            MessageBody::Quarantined(quarantined) => match self.log.quarantine(quarantined.clone()).await {
                Ok(()) => Ended::Acknowledge,
                Err(unfinished) => self.leave(message, &unfinished),
            },
            MessageBody::Objects(objects) => self.read_all(message, objects, reading).await,
        }
    }

    /// Every object is tried, whatever became of the others; the message is done when all are.
    async fn read_all(&self, message: &QueueMessage, objects: &[ObjectRef], reading: &AtomicUsize) -> Ended {
        let mut ended = Ended::Acknowledge;
        for (index, object) in objects.iter().enumerate() {
            reading.store(index, Ordering::Relaxed);
            match self.log.read(object).await {
                Ok(Finished::Read | Finished::Known | Finished::Quarantined) => {}
                Err(Unfinished::Call(error)) if message.deliveries >= self.settings.max_deliveries => {
                    let detail = format!("{error}, in {} deliveries", message.deliveries);
                    let reason = QuarantineReason::ObjectDenied;
                    if let Err(unfinished) = self.log.quarantine_object(object, reason, &detail).await {
                        ended = self.leave(message, &unfinished);
                    }
                }
                Err(unfinished) => ended = self.leave(message, &unfinished),
            }
        }
        ended
    }

    fn leave(&self, message: &QueueMessage, unfinished: &Unfinished) -> Ended {
        tracing::info!(message = %message.id, deliveries = message.deliveries, %unfinished, "a message is left");
        Ended::Leave(match unfinished {
            Unfinished::Busy | Unfinished::Died => None,
            Unfinished::Call(error) => Some(error.class),
            Unfinished::NotCommitted | Unfinished::Memory(_) => Some(FailureClass::Transient),
        })
    }

    /// Keeps the message hidden while it is in work; returns when it has been in work for too long.
    async fn heartbeat(&self, message: &QueueMessage) {
        let visibility = self.queue.visibility();
        let beat = (visibility / 3).max(Duration::from_secs(1));
        let beats = async {
            loop {
                tokio::time::sleep(beat).await;
                let call = self.driver.call(self.settings.call_timeout.min(beat));
                match self.queue.extend(&call, &message.receipt, visibility).await {
                    Ok(()) => {
                        self.driver.metrics.heartbeats.add(1);
                        self.log.sight.seeing(&self.driver, Step::Extend).await;
                    }
                    Err(error) => self.log.sight.failed(&self.driver, Step::Extend, &error).await,
                }
            }
        };
        let _limit = tokio::time::timeout(self.settings.hard_limit, beats).await;
    }

    /// The object that takes too long goes to quarantine; the message comes back for the others.
    async fn park(&self, message: &QueueMessage, reading: &AtomicUsize) -> Ended {
        if let MessageBody::Objects(objects) = &message.body
            && let Some(object) = objects.get(reading.load(Ordering::Relaxed))
        {
            self.log.forgive_object(object).await;
            let detail = format!("not read within {:?}", self.settings.hard_limit);
            if let Err(unfinished) = self
                .log
                .give_up(object, QuarantineReason::TooLarge, &detail)
                .await
            {
                return self.leave(message, &unfinished);
            }
            if objects.len() == 1 {
                return Ended::Acknowledge;
            }
        }
        Ended::Leave(None)
    }

    async fn acknowledge(&self, message: &QueueMessage) {
        for attempt in 1..=3 {
            let call = self.driver.call(self.settings.call_timeout);
            match self.queue.acknowledge(&call, &message.receipt).await {
                Ok(()) => {
                    self.driver.metrics.acknowledged.add(1);
                    self.log.sight.seeing(&self.driver, Step::Acknowledge).await;
                    return;
                }
                Err(error) => {
                    self.log
                        .sight
                        .failed(&self.driver, Step::Acknowledge, &error)
                        .await;
                    if !error.class.may_pass() {
                        return;
                    }
                    tokio::time::sleep(wait_after(error.class, attempt)).await;
                }
            }
        }
        // Delivered again, it will be found in the ledger and acknowledged without reading.
    }
}

/// A message in our hands; forgotten when dropped.
struct InHands<'a> {
    consumer: &'a Consumer,
    id: &'a Arc<str>,
}

impl Drop for InHands<'_> {
    fn drop(&mut self) {
        let mut in_flight = self
            .consumer
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        in_flight.remove(self.id);
    }
}

/// Whether what became of a message is a reason to receive more slowly.
fn slows(ended: Result<Ended, tokio::task::JoinError>) -> Option<FailureClass> {
    match ended {
        Ok(Ended::Leave(class)) => class,
        Ok(Ended::Acknowledge | Ended::GiveBack) => None,
        Err(error) => {
            tracing::error!(%error, "the work on a message died");
            Some(FailureClass::Transient)
        }
    }
}

#[cfg(test)]
mod tests;
