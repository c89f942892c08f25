//! Findings and what became of them.

use keyvigil_model::finding::{ClearReason, Suppression};
use keyvigil_model::time::Timestamp;
use sqlx::SqliteConnection;

use crate::commit::{Cleared, FindingRow};
use crate::error::StoreError;
use crate::rows::finding;
use crate::view::FindingStatus;

/// Stores findings. The same id again takes the new content, counts up, and is open (or suppressed) again.
pub(crate) async fn put(
    connection: &mut SqliteConnection,
    rows: &[FindingRow],
    now: Timestamp,
) -> Result<(), StoreError> {
    for row in rows {
        put_one(connection, row, now).await?;
    }
    Ok(())
}

async fn put_one(
    connection: &mut SqliteConnection,
    row: &FindingRow,
    now: Timestamp,
) -> Result<(), StoreError> {
    let found = &row.finding;
    let status = match &row.suppressed_by {
        None => FindingStatus::Open,
        Some(Suppression::Learning { .. } | Suppression::Exception { .. }) => FindingStatus::Suppressed,
    };
    let (word, id, until) = match &row.suppressed_by {
        None => (None, None, None),
        Some(Suppression::Learning { until }) => (Some(LEARNING), None, Some(until.as_micros())),
        Some(Suppression::Exception { id, expires }) => {
            (Some(EXCEPTION), Some(id.as_ref()), Some(expires.as_micros()))
        }
    };
    sqlx::query(
        "INSERT INTO findings
         (id, fingerprint, rule, kind, title, severity, status, outcome, provider, account, region, time,
          principal, key, resource, event_ids, controls, source,
          suppressed_by, suppressed_id, suppressed_until, count, first_at, last_at, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
                 ?19, ?20, ?21, 1, ?22, ?22, ?23)
         ON CONFLICT DO UPDATE SET
          fingerprint = excluded.fingerprint, rule = excluded.rule, kind = excluded.kind,
          title = excluded.title, severity = excluded.severity, status = excluded.status,
          outcome = excluded.outcome, provider = excluded.provider, account = excluded.account,
          region = excluded.region, time = excluded.time, principal = excluded.principal,
          key = excluded.key, resource = excluded.resource, event_ids = excluded.event_ids,
          controls = excluded.controls, source = excluded.source,
          suppressed_by = excluded.suppressed_by, suppressed_id = excluded.suppressed_id,
          suppressed_until = excluded.suppressed_until, count = count + 1, last_at = excluded.last_at,
          cleared_at = NULL, clear_reason = NULL, cleared_by = NULL, body = excluded.body",
    )
    .bind(found.id.as_str())
    .bind(found.fingerprint.0.as_slice())
    .bind(found.check.as_str())
    .bind(found.kind.as_str())
    .bind(&found.title)
    .bind(found.severity.as_str())
    .bind(status.as_str())
    .bind(found.outcome.as_str())
    .bind(found.provider.as_str())
    .bind(found.account.as_str())
    .bind(found.region.as_str())
    .bind(found.time.as_micros())
    .bind(found.principal.as_ref().map(|principal| principal.id.as_str()))
    .bind(found.key.as_ref().map(|key| key.id.as_str()))
    .bind(found.resource.as_ref().map(|resource| resource.id.as_str()))
    .bind(json_list(found.event_ids.iter().map(|id| id.as_str())))
    .bind(json_list(found.references.iter().copied()))
    .bind(found.source.as_str())
    .bind(word)
    .bind(id)
    .bind(until)
    .bind(now.as_micros())
    .bind(finding::to_json(found))
    .execute(connection)
    .await?;
    Ok(())
}

/// The words of the column `suppressed_by`.
pub(crate) const LEARNING: &str = "learning";
/// See [`LEARNING`].
pub(crate) const EXCEPTION: &str = "exception";

fn json_list<'a>(items: impl Iterator<Item = &'a str>) -> String {
    serde_json::to_string(&items.collect::<Vec<_>>()).expect("a list of text is JSON")
}

/// Ends every finding of a fingerprint that still stands.
pub(crate) async fn clear(connection: &mut SqliteConnection, cleared: &[Cleared]) -> Result<(), StoreError> {
    for one in cleared {
        let (status, by) = match &one.reason {
            ClearReason::Repaired | ClearReason::ResourceGone | ClearReason::SourceReturned => {
                (FindingStatus::Resolved, None)
            }
            ClearReason::RevertedBy(principal) => (FindingStatus::Reverted, Some(principal.as_str())),
            ClearReason::Excepted => (FindingStatus::Excepted, None),
        };
        sqlx::query(
            "UPDATE findings SET status = ?, cleared_at = ?, clear_reason = ?, cleared_by = ?
             WHERE fingerprint = ? AND status IN ('open', 'suppressed')",
        )
        .bind(status.as_str())
        .bind(one.at.as_micros())
        .bind(one.reason.as_str())
        .bind(by)
        .bind(one.fingerprint.0.as_slice())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
