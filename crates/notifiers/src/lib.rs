//! Slack and PagerDuty: one module each, no schedule and no retry.
