//! Rows of the tables `alerts` and `outbox` as the model's alerts and notifications.

use keyvigil_model::alert::{Alert, AlertState, Notification, NotifyAction, NotifyReason};
use keyvigil_model::finding::Finding;
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

fn stored(row: &SqliteRow) -> Stored<'_> {
    let id = row
        .try_get::<&[u8], _>("fingerprint")
        .map_or_else(|_| "?".to_owned(), hex);
    Stored::new(row, "alerts", id)
}

/// Reads an alert.
pub(crate) fn alert(row: &SqliteRow) -> Result<Alert, StoreError> {
    let stored = stored(row);
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

/// Reads what can be read of an alert that [`alert`] cannot read. Its fingerprint, its episode and a finding must be
/// known; the rest is taken from the finding, and of two ways the one in which it is told rather than not.
pub(crate) fn rebuilt(row: &SqliteRow, recorded: Option<Finding>) -> Result<Alert, StoreError> {
    let stored = stored(row);
    let kept = stored
        .get("finding")
        .and_then(|text| stored.check("finding", finding::from_json(text)));
    let finding = match (kept, recorded) {
        (Ok(finding), _) | (Err(_), Some(finding)) => finding,
        (Err(problem), None) => return Err(problem),
    };
    let time = |column| stored.get(column).map_or(finding.time, Timestamp::from_micros);
    Ok(Alert {
        fingerprint: Fingerprint(stored.bytes("fingerprint")?),
        episode: stored.small("episode")?,
        state: stored
            .word("state", AlertState::parse)
            .unwrap_or(AlertState::Open),
        severity: stored
            .word("severity", Severity::parse)
            .unwrap_or(finding.severity),
        first: time("first"),
        last: time("last"),
        opened_at: time("opened_at"),
        notified_at: stored
            .maybe::<i64>("notified_at")
            .ok()
            .flatten()
            .map(Timestamp::from_micros),
        count: stored.count("count").unwrap_or(1),
        finding,
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
