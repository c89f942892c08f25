//! The alert book: findings are folded into alerts by what they are about, routed to receivers, repeated while they
//! are open and resolved when they are over. Pure: time comes in as an argument, messages go out as values.

pub mod book;
mod closed;
mod fold;
mod links;
mod message;
#[cfg(test)]
mod samples;
pub mod settings;
mod span;

pub use book::{AlertBook, Changes};
pub use keyvigil_model::alert::dedup_key;
pub use settings::{
    AlertSettings, CheckGlob, ConsoleLinks, LinkSettings, RepeatAfter, Route, SettingsProblem,
};
