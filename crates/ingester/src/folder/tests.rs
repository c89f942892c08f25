//! The watched folder under paused time.
