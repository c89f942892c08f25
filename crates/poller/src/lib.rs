//! Drives pollers: schedule, jitter, API budget, targeted re-poll.
