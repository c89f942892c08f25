//! A Slack incoming webhook.
//!
//! Slack has no idempotency key, so a message of which the fate is not known is sent again, visibly marked.

use std::time::Duration;

use keyvigil_connector::notifier::{OnAmbiguous, Receiver};
use keyvigil_connector::secret::Secret;
use keyvigil_http::{Endpoint, HttpClient};
use keyvigil_model::id::ReceiverId;

use crate::config::BadReceiver;

/// A channel behind an incoming webhook.
pub struct Slack {
    receiver: Receiver,
    endpoint: Endpoint,
    http: HttpClient,
}

impl Slack {
    /// A receiver for the webhook. Errors if the address is not one that may be called.
    pub fn new(id: ReceiverId, webhook: &Secret, http: HttpClient) -> Result<Self, BadReceiver> {
        let endpoint = Endpoint::new("slack:webhook", webhook).map_err(|problem| BadReceiver::Address {
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
