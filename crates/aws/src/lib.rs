//! Amazon Web Services: CloudTrail readers and posture pollers.

pub mod client;
pub mod config;
pub mod pollers;
pub mod s3;
pub mod sqs;
