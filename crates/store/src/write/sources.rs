//! What sources and the detector keep: checkpoints, the ledger of log objects, opaque state.

use keyvigil_model::batch::{CheckpointUpdate, ObjectRecord};
use keyvigil_model::id::SourceId;
use keyvigil_model::time::Timestamp;
use sqlx::SqliteConnection;

use crate::commit::StateWrite;
use crate::error::StoreError;
use crate::write::{count, many};

/// Stores new positions. The last update of a scope wins.
pub(crate) async fn set_checkpoints(
    connection: &mut SqliteConnection,
    updates: &[CheckpointUpdate],
    now: Timestamp,
) -> Result<(), StoreError> {
    many::insert(
        connection,
        "INSERT INTO checkpoints (scope, value, at) ",
        " ON CONFLICT DO UPDATE SET value = excluded.value, at = excluded.at",
        updates,
        |columns, update| {
            columns
                .push_bind(update.scope.to_string())
                .push_bind(update.value.to_string())
                .push_bind(now.as_micros());
        },
    )
    .await
}

/// Adds objects that were read to their end. The same version again changes nothing.
pub(crate) async fn add_objects(
    connection: &mut SqliteConnection,
    objects: &[(SourceId, ObjectRecord)],
    now: Timestamp,
) -> Result<(), StoreError> {
    many::insert(
        connection,
        "INSERT INTO objects (source, bucket, key, version, records, bytes, sha256, at) ",
        " ON CONFLICT DO NOTHING",
        objects,
        |columns, (source, object)| {
            columns
                .push_bind(source.as_str().to_owned())
                .push_bind(object.bucket.to_string())
                .push_bind(object.key.to_string())
                .push_bind(object.version.to_string())
                .push_bind(count(object.records))
                .push_bind(count(object.bytes))
                .push_bind(object.sha256.to_vec())
                .push_bind(now.as_micros());
        },
    )
    .await
}

/// Writes and deletes values of the detector's state, in order.
pub(crate) async fn write_state(
    connection: &mut SqliteConnection,
    writes: &[StateWrite],
) -> Result<(), StoreError> {
    for write in writes {
        let statement = match &write.value {
            Some(value) => sqlx::query(
                "INSERT INTO detector_state (space, key, value) VALUES (?, ?, ?)
                 ON CONFLICT DO UPDATE SET value = excluded.value",
            )
            .bind(&write.space)
            .bind(&write.key)
            .bind(value),
            None => sqlx::query("DELETE FROM detector_state WHERE space = ? AND key = ?")
                .bind(&write.space)
                .bind(&write.key),
        };
        statement.execute(&mut *connection).await?;
    }
    Ok(())
}
