//! Rows of the tables `alerts` and `outbox` as the model's alerts and notifications.

use keyvigil_model::alert::{Alert, AlertState, Notification, NotifyAction, NotifyReason};
use keyvigil_model::id::{FindingId, Fingerprint, ReceiverId};
use keyvigil_model::severity::Severity;
use keyvigil_model::time::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::error::StoreError;
use crate::rows::{Stored, finding, message};

/// Columns that [`alert`] reads.
pub(crate) const ALERT_COLUMNS: &str =
    "fingerprint, episode, state, severity, first, last, opened_at, notified_at, count, finding";

/// Reads an alert.
pub(crate) fn alert(row: &SqliteRow) -> Result<Alert, StoreError> {
    let id = row
        .try_get::<&[u8], _>("fingerprint")
        .map_or_else(|_| "?".to_owned(), hex);
    let stored = Stored::new(row, "alerts", id);
    let time = |column| stored.get(column).map(Timestamp::from_micros);
    Ok(Alert {
        fingerprint: Fingerprint(stored.bytes("fingerprint")?),
        episode: stored.small("episode")?,
        state: stored.word("state", AlertState::parse)?,
        severity: stored.word("severity", Severity::parse)?,
        first: time("first")?,
        last: time("last")?,
        opened_at: time("opened_at")?,
        notified_at: stored.maybe::<i64>("notified_at")?.map(Timestamp::from_micros),
        count: stored.count("count")?,
        finding: stored.check("finding", finding::from_json(stored.get("finding")?))?,
    })
}

/// Reads a notification.
pub(crate) fn notification(stored: &Stored<'_>) -> Result<Notification, StoreError> {
    Ok(Notification {
        fingerprint: Fingerprint(stored.bytes("fingerprint")?),
        episode: stored.small("episode")?,
        finding: FindingId::new(stored.get::<String>("finding")?),
        receiver: ReceiverId::new(stored.get::<String>("receiver")?),
        reason: stored.word("reason", NotifyReason::parse)?,
        action: stored.word("action", NotifyAction::parse)?,
        severity: stored.word("severity", Severity::parse)?,
        message: stored.check("message", message::from_json(stored.get("message")?))?,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
