//! A destination of messages.

use std::time::Duration;

use keyvigil_model::alert::Notification;
use keyvigil_model::id::ReceiverId;

use crate::call::{BoxFuture, CallContext};
use crate::failure::CallError;

/// Delivers one notification. It makes one request; the outbox owns retries, pacing and order.
pub trait Notifier: Send + Sync {
    /// The receiver and how it wants to be treated.
    fn receiver(&self) -> &Receiver;

    /// Sends it. `Ok` means that the other side took responsibility for it.
    fn notify<'a>(
        &'a self,
        call: &'a CallContext,
        notification: &'a Notification,
    ) -> BoxFuture<'a, Result<(), CallError>>;

    /// The body that `notify` would send, with secrets replaced by `****`.
    fn render(&self, notification: &Notification) -> String;
}

/// A receiver and how it wants to be treated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receiver {
    /// The receiver.
    pub id: ReceiverId,
    /// `slack`, `pagerduty`: the metric label `integration`.
    pub integration: &'static str,
    /// At least this long between two messages.
    pub min_interval: Duration,
    /// What to do when it is not known whether a message arrived.
    pub on_ambiguous: OnAmbiguous,
    /// The wait after the first failed attempt; it doubles up to `max_backoff`.
    pub first_backoff: Duration,
    /// The longest wait between attempts.
    pub max_backoff: Duration,
}

/// What to do with a message of which it is not known whether it arrived.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OnAmbiguous {
    /// Send it again as it is: the receiver recognises repeats (PagerDuty's dedup key).
    Repeat,
    /// Send it again, marked as a possible duplicate: losing it would be worse.
    RepeatMarked,
}
