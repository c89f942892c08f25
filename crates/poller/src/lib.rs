//! Drives pollers: schedule, jitter, API budget, targeted re-poll.
//!
//! - [`schedule`]: when each poller runs, and what to do after a failure. Pure.
//! - [`quota`] and [`budget`]: how many requests may leave.
//! - `repoll`: which poller looks at a resource again, and when many requests become one full poll. Pure.
//! - [`run`]: the task that drives all pollers.

pub mod budget;
pub mod metrics;
pub mod quota;
mod repoll;
pub mod run;
pub mod schedule;
pub mod settings;
mod sight;
