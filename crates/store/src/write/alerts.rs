//! Alerts, each episode one row.

use keyvigil_model::alert::{Alert, AlertState};
use keyvigil_model::id::Fingerprint;
use keyvigil_model::time::Timestamp;
use sqlx::SqliteConnection;

use crate::error::StoreError;
use crate::rows::finding;
use crate::view::Found;
use crate::write::count;

/// Stores alerts as they are now.
pub(crate) async fn put(
    connection: &mut SqliteConnection,
    alerts: &[Alert],
    now: Timestamp,
) -> Result<(), StoreError> {
    for alert in alerts {
        sqlx::query(
            "INSERT INTO alerts
             (fingerprint, episode, state, severity, first, last, opened_at, notified_at, count, changed_at, finding)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET
              state = excluded.state, severity = excluded.severity, first = excluded.first,
              last = excluded.last, opened_at = excluded.opened_at, notified_at = excluded.notified_at,
              count = excluded.count, changed_at = excluded.changed_at, finding = excluded.finding",
        )
        .bind(alert.fingerprint.0.as_slice())
        .bind(alert.episode)
        .bind(alert.state.as_str())
        .bind(alert.severity.as_str())
        .bind(alert.first.as_micros())
        .bind(alert.last.as_micros())
        .bind(alert.opened_at.as_micros())
        .bind(alert.notified_at.map(Timestamp::as_micros))
        .bind(count(alert.count))
        .bind(now.as_micros())
        .bind(finding::to_json(&alert.finding))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Changes the state of one episode; tells whether there is such an episode.
pub(crate) async fn set_state(
    connection: &mut SqliteConnection,
    fingerprint: Fingerprint,
    episode: u32,
    state: AlertState,
    now: Timestamp,
) -> Result<Found, StoreError> {
    let changed =
        sqlx::query("UPDATE alerts SET state = ?, changed_at = ? WHERE fingerprint = ? AND episode = ?")
            .bind(state.as_str())
            .bind(now.as_micros())
            .bind(fingerprint.0.as_slice())
            .bind(episode)
            .execute(connection)
            .await?
            .rows_affected();
    Ok(if changed == 0 {
        Found::Missing
    } else {
        Found::Changed
    })
}
