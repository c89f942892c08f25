//! Amazon Web Services: CloudTrail readers and posture pollers.

pub mod client;
pub mod cloudtrail;
pub mod config;
pub mod lookup_events;
pub mod permissions;
pub mod pollers;
pub mod s3;
pub mod sqs;
