//! Dedupe keys, by the UTC day of first sight.

use keyvigil_model::id::DedupeKey;
use keyvigil_model::time::{Day, Timestamp};
use sqlx::SqliteConnection;

use crate::error::StoreError;

/// Keys of one statement: one JSON array of 32 hexadecimal digits each.
const KEYS_PER_STATEMENT: usize = 1_000;

/// Marks the keys as seen on the day of `now`. One that is marked for that day already is left.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    keys: &[DedupeKey],
    now: Timestamp,
) -> Result<(), StoreError> {
    if keys.is_empty() {
        return Ok(());
    }
    let Day(day) = now.day();
    sqlx::query("INSERT OR IGNORE INTO seen_days (day) VALUES (?)")
        .bind(day)
        .execute(&mut *connection)
        .await?;
    // In order of the keys: neighbours share pages.
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    for chunk in sorted.chunks(KEYS_PER_STATEMENT) {
        sqlx::query(
            "INSERT OR IGNORE INTO seen_events (day, key) SELECT ?1, unhex(value) FROM json_each(?2)",
        )
        .bind(day)
        .bind(json_array(chunk))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Which of the keys are marked as seen.
pub(crate) async fn find(
    connection: &mut SqliteConnection,
    keys: &[DedupeKey],
) -> Result<Vec<DedupeKey>, StoreError> {
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    let mut found = Vec::new();
    for chunk in sorted.chunks(KEYS_PER_STATEMENT) {
        let rows: Vec<Vec<u8>> = sqlx::query_scalar(
            "WITH wanted (key) AS MATERIALIZED (SELECT unhex(value) FROM json_each(?1))
             SELECT wanted.key FROM seen_days
             CROSS JOIN wanted
             CROSS JOIN seen_events ON seen_events.day = seen_days.day AND seen_events.key = wanted.key",
        )
        .bind(json_array(chunk))
        .fetch_all(&mut *connection)
        .await?;
        for row in rows {
            let key = <[u8; 16]>::try_from(row.as_slice())
                .map_err(|_| StoreError::corrupt("seen_events", "?", "a key of another length than 16"))?;
            found.push(DedupeKey(key));
        }
    }
    Ok(found)
}

/// Hexadecimal digits need no escape in JSON.
fn json_array(keys: &[DedupeKey]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(keys.len() * 35 + 2);
    for (position, DedupeKey(bytes)) in keys.iter().enumerate() {
        text.push_str(if position == 0 { "[\"" } else { ",\"" });
        for byte in bytes {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        text.push('"');
    }
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_a_json_array_of_hex() {
        let text = json_array(&[DedupeKey([0; 16]), DedupeKey([0xa5; 16])]);
        let read: Vec<String> = serde_json::from_str(&text).unwrap();
        assert_eq!(read, ["00".repeat(16), "a5".repeat(16)]);
    }
}
