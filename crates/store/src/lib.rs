//! Checkpoints, ledger, findings, alert state and outbox in SQLite; one transaction a step.
