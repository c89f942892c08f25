//! Destinations of messages. Each makes one request and maps the answer; the outbox owns retries, pacing and order.
//!
//! - [`slack::Slack`]: a Slack incoming webhook.
//! - [`pagerduty::PagerDuty`]: PagerDuty Events API v2.

mod address;
pub mod config;
#[cfg(test)]
mod fake_server;
pub mod pagerduty;
#[cfg(test)]
mod samples;
pub mod slack;

pub use config::{BadReceiver, PagerDutyConfig, PagerDutyRegion, SecretProblem, SecretSource, SlackConfig};
pub use pagerduty::PagerDuty;
pub use slack::Slack;
