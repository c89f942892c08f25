//! The pull driver under paused time.
