//! PagerDuty Events API v2: one incident for each episode of an alert.
//!
//! Facts: https://developer.pagerduty.com/docs/send-alert-event. 202 means accepted, not paged. The dedup key holds the
//! episode, so sending an event again is harmless while the episode is open, and a late one never opens a second incident.

mod event;

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
const CALL: &str = "pagerduty:enqueue";

/// A service behind an Events API v2 integration.
pub struct PagerDuty {
    receiver: Receiver,
    endpoint: Endpoint,
    routing_key: Secret,
    http: HttpClient,
}

impl PagerDuty {
    /// A receiver for the integration. `url` is [`crate::config::PagerDutyConfig::endpoint`].
    /// Errors if the key does not look like one or the address is not one that may be called.
    pub fn new(
        id: ReceiverId,
        routing_key: &Secret,
        url: &str,
        http: HttpClient,
    ) -> Result<Self, BadReceiver> {
        let key = routing_key.expose();
        if key.len() != 32 || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(BadReceiver::RoutingKey);
        }
        let endpoint = Endpoint::new(CALL, &Secret::new(url))
            .map_err(|problem| BadReceiver::Address { key: "url", problem })?;
        Ok(Self {
            receiver: Receiver {
                id,
                integration: "pagerduty",
                // About 120 calls a minute for an integration key: 600 ms leaves room for others that use it.
                min_interval: Duration::from_millis(600),
                on_ambiguous: OnAmbiguous::Repeat,
                first_backoff: Duration::from_secs(30),
                max_backoff: Duration::from_secs(300),
            },
            endpoint: endpoint.hiding(routing_key.clone()),
            routing_key: routing_key.clone(),
            http,
        })
    }
}

impl Notifier for PagerDuty {
    fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    fn notify<'a>(
        &'a self,
        call: &'a CallContext,
        notification: &'a Notification,
    ) -> BoxFuture<'a, Result<(), CallError>> {
        Box::pin(async move {
            let body = event::body(notification, self.routing_key.expose());
            match self.http.post_json(call, &self.endpoint, body).await {
                Ok(reply) => accepted(&reply),
                Err(error) => Err(refused(error)),
            }
        })
    }

    fn render(&self, notification: &Notification) -> String {
        event::body(notification, "****")
    }
}

fn accepted(reply: &HttpReply) -> Result<(), CallError> {
    if reply.status == 202 {
        return Ok(());
    }
    let said = Untrusted::from(reply.body.as_str()).one_line(100);
    let message = format!("HTTP {} with {said:?} instead of 202", reply.status);
    Err(CallError::new(FailureClass::Unreadable, CALL, message))
}

/// An address that does not exist will not exist at the next attempt.
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
