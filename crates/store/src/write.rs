//! Writing the parts of a commit, one module for each table. All of them run inside the caller's transaction.

pub(crate) mod alerts;
pub(crate) mod attempts;
pub(crate) mod findings;
pub(crate) mod judgements;
pub(crate) mod many;
pub(crate) mod outbox;
pub(crate) mod quarantine;
pub(crate) mod seen;
pub(crate) mod self_audit;
pub(crate) mod sources;
pub(crate) mod tallies;

use sqlx::SqliteConnection;

use crate::commit::Commit;
use crate::error::StoreError;

/// Writes everything in the commit.
pub(crate) async fn everything(connection: &mut SqliteConnection, commit: &Commit) -> Result<(), StoreError> {
    let now = commit.now;
    seen::insert(connection, &commit.seen, now).await?;
    tallies::add_to_ledger(connection, &commit.ledger).await?;
    tallies::add_to_coverage(connection, &commit.coverage, now).await?;
    quarantine::add(connection, &commit.quarantined, now).await?;
    sources::set_checkpoints(connection, &commit.checkpoints, now).await?;
    sources::add_objects(connection, &commit.objects, now).await?;
    sources::write_state(connection, &commit.state).await?;
    judgements::put(connection, &commit.judgements).await?;
    judgements::withdraw(connection, &commit.withdrawn).await?;
    findings::put(connection, &commit.findings, now).await?;
    findings::clear(connection, &commit.cleared).await?;
    alerts::put(connection, &commit.alerts, now).await?;
    outbox::settle(connection, &commit.settled, now).await?;
    outbox::enqueue(connection, &commit.outbox, now).await?;
    for item in &commit.attempts_cleared {
        attempts::clear(connection, item).await?;
    }
    self_audit::append(connection, &commit.self_audit).await
}

/// Counts are kept as SQLite's signed integers: they stop at 2^63 - 1.
pub(crate) fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
