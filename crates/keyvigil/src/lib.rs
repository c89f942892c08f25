//! The daemon and the commands of keyvigil.
pub mod admin;
pub mod cli;
pub mod config;
pub mod exit;
pub mod logging;
pub mod metrics;
pub mod output;
pub mod supervisor;
