//! What a provider implements. A connector makes calls and maps the answers: it does not schedule, retry, sleep,
//! count or store (invariant 3). Whoever drives it owns time, retries and checkpoints.
//!
//! - [`log_reader::LogReader`]: an audit log that is asked for a window of time.
//! - [`object_log::ObjectQueue`], [`object_log::ObjectStore`], [`object_log::Decoder`]: an audit log that arrives as
//!   objects, announced by a queue.
//! - [`poller::Poller`]: configuration as it is now.
//! - [`notifier::Notifier`]: a destination of messages.
//! - [`preflight::Preflight`]: which permissions are there, for `doctor`.

pub mod call;
pub mod failure;
pub mod log_reader;
pub mod notifier;
pub mod object_log;
pub mod poller;
pub mod preflight;
pub mod secret;
