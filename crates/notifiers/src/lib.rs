//! Destinations of messages. Each makes one request and maps the answer; the outbox owns retries, pacing and order.
//!
//! - [`slack::Slack`]: a Slack incoming webhook.
//! - [`pagerduty::PagerDuty`]: PagerDuty Events API v2.

pub mod config;
pub mod pagerduty;
pub mod slack;

pub use config::{BadReceiver, PagerDutyConfig, PagerDutyRegion, SecretProblem, SecretSource, SlackConfig};
pub use pagerduty::PagerDuty;
pub use slack::Slack;
