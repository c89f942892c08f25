//! Checkpoints, ledger, findings, alert state and outbox in SQLite; one transaction a step.
//!
//! - [`Store`] owns a state directory: one writer, one lock, any number of readers.
//! - [`commit::Commit`] is what one step of the pipeline writes, together or not at all.
//! - [`read::Reader`] lists what is stored; it also opens beside a running daemon.
//! - [`outbox`] delivers each notification effectively once.
//!
//! The row types are the store's own: the model is not serializable, and nobody else sees a row.

pub mod commit;
pub mod error;
pub mod failpoint;
mod maintenance;
mod open;
pub mod outbox;
pub mod read;
mod rows;
mod state_dir;
mod store;
pub mod view;
mod write;

pub use crate::commit::Commit;
pub use crate::error::StoreError;
pub use crate::maintenance::Checkpointed;
pub use crate::open::{Opened, Recovery, StoreOptions};
pub use crate::store::Store;

#[cfg(test)]
mod tests;
