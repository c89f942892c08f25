//! System tests live in `tests/it.rs`; this library is empty.
