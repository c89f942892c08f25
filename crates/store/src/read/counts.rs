//! Numbers for metrics gauges.

use keyvigil_model::batch::QuarantineReason;
use keyvigil_model::id::{CheckId, ReceiverId, SourceId};
use keyvigil_model::severity::Severity;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, SqliteConnection};

use crate::error::StoreError;
use crate::read::Reader;
use crate::rows::Stored;
use crate::view::{Counts, FindingStatus, OutboxCount, OutboxState};

impl Reader {
    /// Numbers for gauges, all of the same instant.
    pub async fn counts(&self) -> Result<Counts, StoreError> {
        let mut connection = self.pool().acquire().await?;
        let mut transaction = connection.begin().await?;
        let counts = Counts {
            findings: findings(&mut transaction).await?,
            open_alerts: open_alerts(&mut transaction).await?,
            judgements: judgements(&mut transaction).await?,
            quarantined: quarantined(&mut transaction).await?,
            outbox: outbox(&mut transaction).await?,
            objects: objects(&mut transaction).await?,
            attempts: attempts(&mut transaction).await?,
        };
        transaction.rollback().await?;
        Ok(counts)
    }

    /// How many notifications each receiver has in each state.
    pub async fn outbox_counts(&self) -> Result<Vec<OutboxCount>, StoreError> {
        let mut connection = self.pool().acquire().await?;
        outbox(&mut connection).await
    }
}

async fn rows(
    connection: &mut SqliteConnection,
    statement: &'static str,
) -> Result<Vec<SqliteRow>, StoreError> {
    Ok(sqlx::query(statement).fetch_all(connection).await?)
}

type FindingCount = (CheckId, Severity, FindingStatus, u64);

async fn findings(connection: &mut SqliteConnection) -> Result<Vec<FindingCount>, StoreError> {
    let statement =
        "SELECT rule, severity, status, COUNT(*) AS n FROM findings GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";
    let mut counts = Vec::new();
    for row in rows(connection, statement).await? {
        let stored = Stored::new(&row, "findings", "(counts)");
        counts.push((
            CheckId::new(stored.get::<String>("rule")?),
            stored.word("severity", Severity::parse)?,
            stored.word("status", FindingStatus::parse)?,
            stored.count("n")?,
        ));
    }
    Ok(counts)
}

async fn open_alerts(connection: &mut SqliteConnection) -> Result<Vec<(Severity, u64)>, StoreError> {
    let statement = "SELECT severity, COUNT(*) AS n FROM alerts WHERE state IN ('open', 'acknowledged')
                     GROUP BY severity ORDER BY severity";
    let mut counts = Vec::new();
    for row in rows(connection, statement).await? {
        let stored = Stored::new(&row, "alerts", "(counts)");
        counts.push((stored.word("severity", Severity::parse)?, stored.count("n")?));
    }
    Ok(counts)
}

async fn judgements(connection: &mut SqliteConnection) -> Result<Vec<(CheckId, String, u64)>, StoreError> {
    let statement = "SELECT control, verdict, COUNT(*) AS n FROM judgements GROUP BY 1, 2 ORDER BY 1, 2";
    let mut counts = Vec::new();
    for row in rows(connection, statement).await? {
        let stored = Stored::new(&row, "judgements", "(counts)");
        counts.push((
            CheckId::new(stored.get::<String>("control")?),
            stored.get("verdict")?,
            stored.count("n")?,
        ));
    }
    Ok(counts)
}

type QuarantineCount = (SourceId, QuarantineReason, u64);

async fn quarantined(connection: &mut SqliteConnection) -> Result<Vec<QuarantineCount>, StoreError> {
    let statement = "SELECT source, reason, COUNT(*) AS n FROM quarantine GROUP BY 1, 2 ORDER BY 1, 2";
    let mut counts = Vec::new();
    for row in rows(connection, statement).await? {
        let stored = Stored::new(&row, "quarantine", "(counts)");
        counts.push((
            SourceId::new(stored.get::<String>("source")?),
            stored.word("reason", QuarantineReason::parse)?,
            stored.count("n")?,
        ));
    }
    Ok(counts)
}

async fn outbox(connection: &mut SqliteConnection) -> Result<Vec<OutboxCount>, StoreError> {
    let statement = "SELECT receiver, state, COUNT(*) AS n FROM outbox GROUP BY 1, 2 ORDER BY 1, 2";
    let mut counts = Vec::new();
    for row in rows(connection, statement).await? {
        let stored = Stored::new(&row, "outbox", "(counts)");
        counts.push(OutboxCount {
            receiver: ReceiverId::new(stored.get::<String>("receiver")?),
            state: stored.word("state", OutboxState::parse)?,
            rows: stored.count("n")?,
        });
    }
    Ok(counts)
}

async fn objects(connection: &mut SqliteConnection) -> Result<Vec<(SourceId, u64)>, StoreError> {
    let statement = "SELECT source, COUNT(*) AS n FROM objects GROUP BY source ORDER BY source";
    let mut counts = Vec::new();
    for row in rows(connection, statement).await? {
        let stored = Stored::new(&row, "objects", "(counts)");
        counts.push((SourceId::new(stored.get::<String>("source")?), stored.count("n")?));
    }
    Ok(counts)
}

async fn attempts(connection: &mut SqliteConnection) -> Result<u64, StoreError> {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM attempts")
        .fetch_one(connection)
        .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}
