//! The self-audit: rows that each carry the hash of the one before.

use sha2::{Digest, Sha256};
use sqlx::SqliteConnection;

use crate::commit::AuditRow;
use crate::error::StoreError;

/// A hash of the chain.
pub(crate) type Hash = [u8; 32];

/// What the first row follows.
pub(crate) const ORIGIN: Hash = [0; 32];

/// Appends rows to the chain.
pub(crate) async fn append(connection: &mut SqliteConnection, rows: &[AuditRow]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let last: Option<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT seq, hash FROM self_audit ORDER BY seq DESC LIMIT 1")
            .fetch_optional(&mut *connection)
            .await?;
    let (mut seq, mut head) = match last {
        Some((seq, hash)) => (seq, stored_hash(seq, &hash)?),
        None => (0, ORIGIN),
    };
    for row in rows {
        seq += 1;
        let hash = link(seq, row, &head);
        sqlx::query(
            "INSERT INTO self_audit (seq, time, actor, action, data, prev_hash, hash)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(seq)
        .bind(row.time.as_micros())
        .bind(&row.actor)
        .bind(&row.action)
        .bind(&row.data)
        .bind(head.as_slice())
        .bind(hash.as_slice())
        .execute(&mut *connection)
        .await?;
        head = hash;
    }
    Ok(())
}

/// The hash of a row that follows `previous`. Lengths are hashed, too, so that text cannot move between columns.
pub(crate) fn link(seq: i64, row: &AuditRow, previous: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"keyvigil self-audit 1");
    hasher.update(previous);
    hasher.update(seq.to_be_bytes());
    hasher.update(row.time.as_micros().to_be_bytes());
    for text in [&row.actor, &row.action, &row.data] {
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize().into()
}

/// A hash as it is stored.
pub(crate) fn stored_hash(seq: i64, bytes: &[u8]) -> Result<Hash, StoreError> {
    bytes
        .try_into()
        .map_err(|_| StoreError::corrupt("self_audit", seq, "a hash of another length than 32"))
}
