//! Amazon Web Services: CloudTrail readers and posture pollers.

pub mod client;
pub mod config;
