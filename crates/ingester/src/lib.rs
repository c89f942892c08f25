//! Drives log readers: checkpoint, overlap, dedupe, object ledger, integrity.
