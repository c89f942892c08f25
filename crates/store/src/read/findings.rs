//! Listing findings.

use keyvigil_model::finding::Suppression;
use keyvigil_model::severity::Severity;
use keyvigil_model::time::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::error::StoreError;
use crate::read::Reader;
use crate::rows::{Stored, finding};
use crate::view::{ClearedView, FindingFilter, FindingStatus, FindingView};
use crate::write::findings::{EXCEPTION, LEARNING};

impl Reader {
    /// Findings, the latest event time first.
    pub async fn findings(&self, filter: &FindingFilter) -> Result<Vec<FindingView>, StoreError> {
        let severities = filter.min_severity.map(at_least);
        let rows = sqlx::query(
            "SELECT id, status, suppressed_by, suppressed_id, suppressed_until, count, first_at, last_at,
              cleared_at, clear_reason, cleared_by, body
             FROM findings
             WHERE (?1 IS NULL OR id = ?1) AND (?2 IS NULL OR fingerprint = ?2) AND (?3 IS NULL OR rule = ?3)
              AND (?4 IS NULL OR status = ?4) AND (?5 IS NULL OR instr(?5, ' ' || severity || ' ') > 0)
              AND (?6 IS NULL OR provider = ?6) AND (?7 IS NULL OR account = ?7)
              AND (?8 IS NULL OR time >= ?8) AND (?9 IS NULL OR time < ?9)
             ORDER BY time DESC, id LIMIT ?10",
        )
        .bind(filter.id.as_ref().map(|id| id.as_str()))
        .bind(filter.fingerprint.map(|print| print.0.to_vec()))
        .bind(filter.check.as_ref().map(|check| check.as_str()))
        .bind(filter.status.map(FindingStatus::as_str))
        .bind(severities)
        .bind(filter.provider.map(|provider| provider.as_str()))
        .bind(filter.account.as_ref().map(|account| account.as_str()))
        .bind(filter.since.map(Timestamp::as_micros))
        .bind(filter.until.map(Timestamp::as_micros))
        .bind(filter.limit.map_or(-1, i64::from))
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(view).collect()
    }
}

/// The words of the severities from `lowest` up, each between spaces.
fn at_least(lowest: Severity) -> String {
    let mut words = String::from(" ");
    for severity in Severity::ALL {
        if severity >= lowest {
            words.push_str(severity.as_str());
            words.push(' ');
        }
    }
    words
}

fn view(row: &SqliteRow) -> Result<FindingView, StoreError> {
    let id: String = row.try_get("id")?;
    let stored = Stored::new(row, "findings", id);
    let cleared_at: Option<i64> = stored.maybe("cleared_at")?;
    let cleared = match cleared_at {
        None => None,
        Some(at) => Some(ClearedView {
            at: Timestamp::from_micros(at),
            reason: stored.get("clear_reason")?,
            by: stored.maybe("cleared_by")?,
        }),
    };
    Ok(FindingView {
        finding: stored.check("body", finding::from_json(stored.get("body")?))?,
        status: stored.word("status", FindingStatus::parse)?,
        suppressed_by: suppression(&stored)?,
        count: stored.count("count")?,
        first_at: stored.get("first_at").map(Timestamp::from_micros)?,
        last_at: stored.get("last_at").map(Timestamp::from_micros)?,
        cleared,
    })
}

fn suppression(stored: &Stored<'_>) -> Result<Option<Suppression>, StoreError> {
    let Some(word) = stored.maybe::<&str>("suppressed_by")? else {
        return Ok(None);
    };
    let until = stored.get("suppressed_until").map(Timestamp::from_micros)?;
    match word {
        LEARNING => Ok(Some(Suppression::Learning { until })),
        EXCEPTION => Ok(Some(Suppression::Exception {
            id: stored.get::<String>("suppressed_id")?.into(),
            expires: until,
        })),
        other => Err(stored.corrupt(format_args!(
            "column suppressed_by holds the unknown word {other:?}"
        ))),
    }
}
