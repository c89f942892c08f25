//! Records that could not be read: kept once with their bytes, counted afterwards.

use keyvigil_model::batch::Quarantined;
use keyvigil_model::id::SourceId;
use keyvigil_model::time::Timestamp;
use sha2::{Digest, Sha256};
use sqlx::SqliteConnection;

use crate::error::StoreError;

/// Keeps each record once by source, origin and reason; another time only counts up.
pub(crate) async fn add(
    connection: &mut SqliteConnection,
    records: &[(SourceId, Quarantined)],
    now: Timestamp,
) -> Result<(), StoreError> {
    for (source, record) in records {
        let kept = record.bytes.get(..Quarantined::MAX_KEPT).unwrap_or(&record.bytes);
        sqlx::query(
            "INSERT INTO quarantine (source, origin, reason, detail, bytes, sha256, count, first_at, last_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, ?7)
             ON CONFLICT DO UPDATE SET count = count + 1, last_at = excluded.last_at",
        )
        .bind(source.as_str())
        .bind(&*record.origin)
        .bind(record.reason.as_str())
        .bind(&*record.detail)
        .bind(kept)
        .bind(Sha256::digest(kept).to_vec())
        .bind(now.as_micros())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
