//! Drives log readers: schedule, retries, positions, object ledger, heartbeats.
//!
//! A connector makes one call and maps the answer; everything about *when* and *again* is here. Nothing is
//! acknowledged to a source before the pipeline has committed it.
//!
//! - [`pull`]: a log that is asked for windows of time; the arithmetic of windows is pure, in [`window`].
//! - [`queue`]: objects announced by a queue; [`listing`] is the net under lost messages.
//! - [`folder`]: a folder of files that is watched; [`files`]: files that are read once, in order (`replay`).

pub mod bytes;
pub mod clock;
pub mod driver;
#[cfg(test)]
mod fakes;
pub mod files;
pub mod folder;
pub mod listing;
pub mod memory;
pub mod metrics;
pub mod object;
pub mod pull;
pub mod queue;
pub mod window;
