//! The driver under paused time.
