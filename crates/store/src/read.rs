//! Reading what is stored. Every method is one short transaction.

mod counts;
mod findings;
mod listings;

use std::collections::HashSet;

use keyvigil_model::alert::Alert;
use keyvigil_model::finding::Finding;
use keyvigil_model::id::{DedupeKey, SourceId};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqlitePool};

use crate::commit::StateRow;
use crate::error::StoreError;
use crate::rows::alert::{ALERT_COLUMNS, alert, rebuilt};
use crate::rows::finding;
use crate::write;

/// Reads a state directory. Cheap to clone.
#[derive(Clone)]
pub struct Reader {
    pool: SqlitePool,
}

impl Reader {
    pub(crate) fn over(pool: SqlitePool) -> Self {
        Self { pool }
    }

    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Closes the connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Which of the keys were never committed as seen.
    pub async fn unseen(&self, keys: &[DedupeKey]) -> Result<HashSet<DedupeKey>, StoreError> {
        let mut unseen: HashSet<DedupeKey> = keys.iter().copied().collect();
        if unseen.is_empty() {
            return Ok(unseen);
        }
        let mut connection = self.pool.acquire().await?;
        for seen in write::seen::find(&mut connection, keys).await? {
            unseen.remove(&seen);
        }
        Ok(unseen)
    }

    /// The position that was stored for a scope.
    pub async fn checkpoint(&self, scope: &str) -> Result<Option<String>, StoreError> {
        Ok(
            sqlx::query_scalar("SELECT value FROM checkpoints WHERE scope = ?")
                .bind(scope)
                .fetch_optional(&self.pool)
                .await?,
        )
    }

    /// Whether this version of an object was read to its end.
    pub async fn object_known(
        &self,
        source: &SourceId,
        bucket: &str,
        key: &str,
        version: &str,
    ) -> Result<bool, StoreError> {
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM objects WHERE source = ? AND bucket = ? AND key = ? AND version = ?",
        )
        .bind(source.as_str())
        .bind(bucket)
        .bind(key)
        .bind(version)
        .fetch_optional(&self.pool)
        .await?;
        Ok(found.is_some())
    }

    /// The whole state of the detector.
    pub async fn load_state(&self) -> Result<Vec<StateRow>, StoreError> {
        let rows: Vec<(String, String, Vec<u8>)> =
            sqlx::query_as("SELECT space, key, value FROM detector_state ORDER BY space, key")
                .fetch_all(&self.pool)
                .await?;
        Ok(rows
            .into_iter()
            .map(|(space, key, value)| StateRow { space, key, value })
            .collect())
    }

    /// Alerts that are open or acknowledged.
    pub async fn open_alerts(&self) -> Result<Vec<Alert>, StoreError> {
        self.alerts(format!(
            "SELECT {ALERT_COLUMNS} FROM alerts WHERE state IN ('open', 'acknowledged')
             ORDER BY opened_at, fingerprint"
        ))
        .await
    }

    /// The newest episode of every fingerprint, open or over: what the alert book needs to number the next episode.
    pub async fn latest_alerts(&self) -> Result<Vec<Alert>, StoreError> {
        self.alerts(format!(
            "SELECT {ALERT_COLUMNS} FROM alerts
             WHERE episode = (SELECT MAX(episode) FROM alerts AS other WHERE other.fingerprint = alerts.fingerprint)
             ORDER BY opened_at, fingerprint"
        ))
        .await
    }

    /// Reads alerts. One that cannot be read as it is does not hide the others: it is read as far as possible, or
    /// reported and left out.
    async fn alerts(&self, statement: String) -> Result<Vec<Alert>, StoreError> {
        // Made of constants only.
        let rows = sqlx::query(AssertSqlSafe(statement))
            .fetch_all(&self.pool)
            .await?;
        let mut alerts = Vec::with_capacity(rows.len());
        for row in &rows {
            let problem = match alert(row) {
                Ok(read) => {
                    alerts.push(read);
                    continue;
                }
                Err(problem @ StoreError::Corrupt { .. }) => problem,
                Err(other) => return Err(other),
            };
            match rebuilt(row, self.finding_of(row).await?) {
                Ok(read) => {
                    tracing::error!(%problem, "an alert cannot be read as it is; it is rebuilt from its finding");
                    alerts.push(read);
                }
                Err(_) => tracing::error!(%problem, "an alert cannot be read and is left out"),
            }
        }
        if alerts.len() < rows.len() {
            let left_out = rows.len() - alerts.len();
            tracing::error!(left_out, read = alerts.len(), "alerts are left out");
        }
        Ok(alerts)
    }

    /// The newest finding of the alert in this row, as the table of findings has it; `None` if it is not there or not
    /// readable either.
    async fn finding_of(&self, row: &SqliteRow) -> Result<Option<Finding>, StoreError> {
        let Ok(fingerprint) = row.try_get::<&[u8], _>("fingerprint") else {
            return Ok(None);
        };
        let body: Option<String> = sqlx::query_scalar(
            "SELECT body FROM findings WHERE fingerprint = ? ORDER BY last_at DESC LIMIT 1",
        )
        .bind(fingerprint)
        .fetch_optional(&self.pool)
        .await?;
        Ok(body.and_then(|body| finding::from_json(&body).ok()))
    }
}
