//! keyvigil's vocabulary: ids, principals, keys, resources, events, snapshots, findings, alerts and time.
//!
//! Pure data. No I/O, no async, no clock, no environment, and nothing here is serializable: a crate that
//! stores or sends something owns that format and converts by hand (invariant 12 of docs/ARCHITECTURE.md).
//!
//! Read in this order: [`time`], [`id`], [`principal`], [`key`], [`event`], [`batch`], [`snapshot`],
//! [`verdict`], [`finding`], [`alert`].

pub mod action;
pub mod alert;
pub mod batch;
pub mod event;
pub mod facts;
pub mod finding;
pub mod health;
pub mod id;
pub mod key;
pub mod policy_text;
pub mod principal;
pub mod provider;
pub mod resource;
pub mod severity;
pub mod snapshot;
pub mod time;
pub mod untrusted;
pub mod verdict;
