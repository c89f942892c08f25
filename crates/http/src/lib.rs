//! The one HTTP client: timeouts, redaction, status to failure class, Retry-After.
