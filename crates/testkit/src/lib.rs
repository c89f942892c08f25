//! Fake clouds and receivers that speak the wire formats, a clock, and the shared contract tests.
