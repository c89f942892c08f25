//! Amazon Web Services: CloudTrail readers and posture pollers.
