//! Rules over events and controls over snapshots; pure and replayable.
//!
//! Everything goes through [`Detector::step`]: audit events, what the sources covered, snapshots, the health of
//! sources, and the passing of time go in; findings, judgements, requests to look again and state changes come out.
//! There is no clock, no I/O and no randomness in here, so the same inputs give the same findings, also after a
//! restart: all state leaves as [`StateChange`]s and comes back through [`Detector::new`].
//!
//! Read in this order: [`step`], [`check`], [`policy`], [`rule`], one file of [`rules`], [`engine`].

pub mod advice;
pub mod check;
pub mod control;
pub mod controls;
pub mod engine;
pub mod iam;
pub mod inventory;
pub mod policy;
pub mod rule;
pub mod rules;
pub mod state;
pub mod step;

#[cfg(test)]
mod testing;

pub use check::CheckMeta;
pub use control::{Control, ControlMeta};
pub use controls::controls;
pub use engine::Detector;
pub use policy::Policy;
pub use rules::rules;
pub use step::{Input, SavedState, StateChange, StateProblem, Step};
