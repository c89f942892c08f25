//! A Slack incoming webhook.
//!
//! Slack has no idempotency key, so a message of which the fate is not known is sent again, visibly marked. A webhook
//! cannot change what it posted: the end of an alert is a message of its own that names the alert.

mod blocks;
mod escape;

use std::time::Duration;

use keyvigil_connector::call::{BoxFuture, CallContext};
use keyvigil_connector::failure::{CallError, FailureClass};
use keyvigil_connector::notifier::{Notifier, OnAmbiguous, Receiver};
use keyvigil_connector::secret::Secret;
use keyvigil_http::{Endpoint, HttpClient, HttpReply};
use keyvigil_model::alert::Notification;
use keyvigil_model::id::ReceiverId;
use keyvigil_model::untrusted::Untrusted;

use crate::config::BadReceiver;

/// How the call is named in errors and metrics.
const CALL: &str = "slack:webhook";

/// A channel behind an incoming webhook.
pub struct Slack {
    receiver: Receiver,
    endpoint: Endpoint,
    http: HttpClient,
}

impl Slack {
    /// A receiver for the webhook. Errors if the address is not one that may be called.
    pub fn new(id: ReceiverId, webhook: &Secret, http: HttpClient) -> Result<Self, BadReceiver> {
        let endpoint = Endpoint::new(CALL, webhook).map_err(|problem| BadReceiver::Address {
            key: "webhook_url",
            problem,
        })?;
        Ok(Self {
            receiver: Receiver {
                id,
                integration: "slack",
                // "1 per second", short bursts allowed: https://docs.slack.dev/apis/web-api/rate-limits
                min_interval: Duration::from_secs(1),
                on_ambiguous: OnAmbiguous::RepeatMarked,
                first_backoff: Duration::from_secs(5),
                max_backoff: Duration::from_secs(300),
            },
            endpoint,
            http,
        })
    }
}

impl Notifier for Slack {
    fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    fn notify<'a>(
        &'a self,
        call: &'a CallContext,
        notification: &'a Notification,
    ) -> BoxFuture<'a, Result<(), CallError>> {
        Box::pin(async move {
            let body = self.render(notification);
            match self.http.post_json(call, &self.endpoint, body).await {
                Ok(reply) => accepted(&reply),
                Err(error) => Err(refused(error)),
            }
        })
    }

    fn render(&self, notification: &Notification) -> String {
        blocks::body(notification).to_string()
    }
}

/// Only 200 with the body `ok` is a delivery (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks).
fn accepted(reply: &HttpReply) -> Result<(), CallError> {
    if reply.status == 200 && reply.body.trim() == "ok" {
        return Ok(());
    }
    let said = Untrusted::from(reply.body.as_str()).one_line(100);
    let message = format!("HTTP {} with {said:?} instead of \"ok\"", reply.status);
    Err(CallError::new(FailureClass::Unreadable, CALL, message))
}

/// 404 and 410 mean that the channel or the webhook is gone: no repetition brings it back.
fn refused(error: CallError) -> CallError {
    let class = match error.class {
        FailureClass::NotFound => FailureClass::Permanent,
        FailureClass::Throttled(_)
        | FailureClass::Transient
        | FailureClass::Denied
        | FailureClass::Unauthenticated
        | FailureClass::Permanent
        | FailureClass::Unreadable => error.class,
    };
    CallError { class, ..error }
}

#[cfg(test)]
mod tests;
