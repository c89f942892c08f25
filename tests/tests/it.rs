//! One harness for all system tests.
