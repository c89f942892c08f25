//! Configuration as it is now, one poller a family of resources.
//!
//! Each poller makes calls (`kms.rs`) and leaves what they mean to pure functions beside it (`kms_map.rs`). A call
//! that fails for one resource makes that field unknown and leaves a blind spot; the others are read all the same.
//! A listing that is cut short makes the snapshot partial; one whose first page fails fails the poll.

mod credential_report;
mod ebs;
mod ebs_map;
mod gather;
mod iam;
mod iam_map;
mod kms;
mod kms_map;
mod listing;
pub(crate) mod place;
mod rds;
mod rds_map;
mod s3;
mod s3_map;
mod trail;
mod trail_map;
pub mod trail_scope;
mod xml;

pub use ebs::EbsPoller;
pub use iam::IamPoller;
pub use kms::KmsPoller;
pub use rds::RdsPoller;
pub use s3::S3Poller;
pub use trail::TrailPoller;
