//! The crash counter of each item of work (a log object, a message).

use keyvigil_model::time::Timestamp;
use sqlx::SqliteConnection;

use crate::error::StoreError;

/// Counts one more beginning and returns the count.
pub(crate) async fn begin(
    connection: &mut SqliteConnection,
    item: &str,
    now: Timestamp,
) -> Result<u32, StoreError> {
    let count: i64 = sqlx::query_scalar(
        "INSERT INTO attempts (item, count, first_at, last_at) VALUES (?1, 1, ?2, ?2)
         ON CONFLICT DO UPDATE SET count = count + 1, last_at = excluded.last_at
         RETURNING count",
    )
    .bind(item)
    .bind(now.as_micros())
    .fetch_one(connection)
    .await?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Forgets the count.
pub(crate) async fn clear(connection: &mut SqliteConnection, item: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM attempts WHERE item = ?")
        .bind(item)
        .execute(connection)
        .await?;
    Ok(())
}
