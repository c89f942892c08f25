//! The shared event bus: bounded topics with acknowledgement. In-process today.
//!
//! A publisher learns when what it published was committed: only then may it acknowledge to its source. A slow
//! pipeline fills the topic, publishers wait, sources are asked less often: that is the backpressure.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyvigil_model::batch::Batch;
use keyvigil_model::health::SourceHealth;
use keyvigil_model::snapshot::Snapshot;
use tokio::sync::{mpsc, oneshot};

/// Everything that can arrive at the pipeline from outside. Closed, so that reading it tells what can happen.
#[derive(Debug)]
pub enum Observation {
    /// Audit records.
    Batch(Box<Batch>),
    /// Configuration.
    Snapshot(Box<Snapshot>),
    /// How a source fared.
    Health(SourceHealth),
}

/// An observation on its way, with the promise to tell when it is committed.
#[derive(Debug)]
pub struct Delivery {
    /// What was observed.
    pub observation: Observation,
    committed: oneshot::Sender<Committed>,
}

/// What became of a committed observation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Committed {
    /// Events that were new.
    pub new_events: u64,
    /// Events seen before.
    pub duplicates: u64,
}

/// The pipeline ended, or could not commit: nothing may be acknowledged, the source will deliver again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotCommitted;

impl std::fmt::Display for NotCommitted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not committed: the pipeline refused it or has ended")
    }
}

impl std::error::Error for NotCommitted {}

/// The sending side; cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    sender: mpsc::Sender<Delivery>,
    waiting: Arc<AtomicUsize>,
}

/// How many observations wait in a topic. Does not keep the topic open.
#[derive(Clone, Debug)]
pub struct Depth(Arc<AtomicUsize>);

impl Depth {
    /// The number now.
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The receiving side: the pipeline's.
pub struct Subscriber {
    receiver: mpsc::Receiver<Delivery>,
    waiting: Arc<AtomicUsize>,
}

/// Makes a topic that holds at most `capacity` observations.
pub fn topic(capacity: usize) -> (Publisher, Subscriber) {
    let (sender, receiver) = mpsc::channel(capacity);
    let waiting = Arc::new(AtomicUsize::new(0));
    (
        Publisher {
            sender,
            waiting: Arc::clone(&waiting),
        },
        Subscriber { receiver, waiting },
    )
}

impl Publisher {
    /// Publishes and waits until the observation is committed with everything derived from it.
    pub async fn publish(&self, observation: Observation) -> Result<Committed, NotCommitted> {
        self.enqueue(observation).await?.await.map_err(|_| NotCommitted)
    }

    /// Publishes and returns once there is room; the receiver tells later when it is committed.
    pub async fn enqueue(
        &self,
        observation: Observation,
    ) -> Result<oneshot::Receiver<Committed>, NotCommitted> {
        let (committed, receipt) = oneshot::channel();
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let sent = self
            .sender
            .send(Delivery {
                observation,
                committed,
            })
            .await;
        if sent.is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(NotCommitted);
        }
        Ok(receipt)
    }

    /// Tells the depth without keeping the topic open.
    pub fn depth_handle(&self) -> Depth {
        Depth(Arc::clone(&self.waiting))
    }

    /// Observations that wait, those for which a publisher is still looking for room included.
    pub fn depth(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl Subscriber {
    /// The next observation; `None` when every publisher is gone.
    pub async fn next(&mut self) -> Option<Delivery> {
        let delivery = self.receiver.recv().await?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(delivery)
    }

    /// Another observation if one is there already: for committing several in one transaction.
    pub fn try_next(&mut self) -> Option<Delivery> {
        let delivery = self.receiver.try_recv().ok()?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(delivery)
    }

    /// Refuses further observations; those that wait can still be taken.
    pub fn close(&mut self) {
        self.receiver.close();
    }
}

impl Delivery {
    /// Tells the publisher that the observation is committed. Dropping a delivery tells the opposite.
    pub fn acknowledge(self, result: Committed) {
        // The publisher may have given up waiting; its source will then deliver again, which is harmless.
        let _gave_up = self.committed.send(result).is_err();
    }
}

#[cfg(test)]
mod tests {
    use keyvigil_model::id::SourceId;
    use keyvigil_model::provider::Provider;

    use super::*;

    fn batch() -> Observation {
        Observation::Batch(Box::new(Batch::empty(SourceId::from("s"), Provider::Aws)))
    }

    #[tokio::test]
    async fn a_publisher_learns_of_the_commit() {
        let (publisher, mut subscriber) = topic(1);
        let pipeline = async {
            let delivery = subscriber.next().await.unwrap();
            delivery.acknowledge(Committed {
                new_events: 3,
                duplicates: 1,
            });
        };
        let (result, ()) = tokio::join!(publisher.publish(batch()), pipeline);
        assert_eq!(
            result,
            Ok(Committed {
                new_events: 3,
                duplicates: 1
            })
        );
        assert_eq!(publisher.depth(), 0);
    }

    #[tokio::test]
    async fn a_dropped_delivery_is_not_committed() {
        let (publisher, mut subscriber) = topic(1);
        let pipeline = async { drop(subscriber.next().await) };
        let (result, ()) = tokio::join!(publisher.publish(batch()), pipeline);
        assert_eq!(result, Err(NotCommitted));
    }

    #[tokio::test]
    async fn a_full_topic_makes_publishers_wait() {
        let (publisher, mut subscriber) = topic(1);
        let first = publisher.enqueue(batch()).await.unwrap();
        let second = publisher.enqueue(batch());
        tokio::pin!(second);
        assert!(futures_poll(&mut second).is_none(), "no room for a second one");
        assert_eq!(publisher.depth(), 2);
        drop(subscriber.next().await);
        assert!(second.await.is_ok());
        assert!(first.await.is_err());
    }

    fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::Pin::new(future).poll(&mut context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }
}
