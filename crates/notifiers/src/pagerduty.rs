//! PagerDuty Events API v2: one incident for each episode of an alert.

use std::time::Duration;

use keyvigil_connector::notifier::{OnAmbiguous, Receiver};
use keyvigil_connector::secret::Secret;
use keyvigil_http::{Endpoint, HttpClient};
use keyvigil_model::id::ReceiverId;

use crate::config::BadReceiver;

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
        let endpoint = Endpoint::new("pagerduty:enqueue", &Secret::new(url))
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
