//! The queue driver under paused time.
