//! Listing judgements, quarantine, ledger, coverage, outbox and self-audit.

use keyvigil_model::action::Action;
use keyvigil_model::batch::QuarantineReason;
use keyvigil_model::event::Outcome;
use keyvigil_model::id::{AccountId, CheckId, ReceiverId, Region, ResourceId, SourceId};
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::{ResourceKind, ResourceRef};
use keyvigil_model::time::{Day, Timestamp};
use keyvigil_model::verdict::{Judgement, UnknownReason, Verdict};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::commit::{LedgerEntry, OutboxId};
use crate::error::StoreError;
use crate::read::Reader;
use crate::rows::{Stored, alert};
use crate::view::{
    CoverageView, JudgementFilter, JudgementView, LedgerFilter, OutboxState, OutboxView, QuarantineFilter,
    QuarantineView,
};

impl Reader {
    /// Verdicts, by control and resource.
    pub async fn judgements(&self, filter: &JudgementFilter) -> Result<Vec<JudgementView>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM judgements
             WHERE (?1 IS NULL OR control = ?1) AND (?2 IS NULL OR resource_kind = ?2)
              AND (?3 IS NULL OR resource = ?3) AND (?4 IS NULL OR account = ?4)
              AND (?5 IS NULL OR verdict = ?5)
             ORDER BY control, account, region, resource_kind, resource",
        )
        .bind(filter.control.as_ref().map(|control| control.as_str()))
        .bind(filter.kind.map(ResourceKind::as_str))
        .bind(filter.resource.as_deref())
        .bind(filter.account.as_ref().map(|account| account.as_str()))
        .bind(filter.verdict)
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(judgement).collect()
    }

    /// Records that could not be read, the latest first.
    pub async fn quarantine(&self, filter: &QuarantineFilter) -> Result<Vec<QuarantineView>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM quarantine
             WHERE (?1 IS NULL OR source = ?1) AND (?2 IS NULL OR reason = ?2) AND (?3 IS NULL OR last_at >= ?3)
             ORDER BY last_at DESC, id DESC LIMIT ?4",
        )
        .bind(filter.source.as_ref().map(|source| source.as_str()))
        .bind(filter.reason.map(QuarantineReason::as_str))
        .bind(filter.since.map(Timestamp::as_micros))
        .bind(filter.limit.map_or(-1, i64::from))
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(quarantined).collect()
    }

    /// Uses of keys and secrets, oldest day first.
    pub async fn ledger(&self, filter: &LedgerFilter) -> Result<Vec<LedgerEntry>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM access_ledger
             WHERE day BETWEEN ?1 AND ?2 AND (?3 IS NULL OR key = ?3) AND (?4 IS NULL OR principal = ?4)
             ORDER BY day, provider, account, key, principal, operation, outcome",
        )
        .bind(filter.from.0)
        .bind(filter.to.0)
        .bind(filter.key.as_deref())
        .bind(filter.principal.as_deref())
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(ledger_entry).collect()
    }

    /// What was seen on the days `from` to `to`, both included, oldest day first.
    pub async fn coverage(&self, from: Day, to: Day) -> Result<Vec<CoverageView>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM coverage WHERE day BETWEEN ? AND ? ORDER BY day, source, account, region",
        )
        .bind(from.0)
        .bind(to.0)
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(coverage).collect()
    }

    /// Notifications in a state, oldest first; at most `limit`. `dead` ones wait for a person.
    pub async fn outbox(&self, state: OutboxState, limit: u32) -> Result<Vec<OutboxView>, StoreError> {
        let rows = sqlx::query("SELECT * FROM outbox WHERE state = ? ORDER BY id LIMIT ?")
            .bind(state.as_str())
            .bind(limit)
            .fetch_all(self.pool())
            .await?;
        rows.iter().map(outbox_view).collect()
    }

    /// When the oldest notification that still waits was queued; for one receiver or for all.
    pub async fn outbox_oldest(
        &self,
        receiver: Option<&ReceiverId>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let oldest: Option<i64> = sqlx::query_scalar(
            "SELECT MIN(queued_at) FROM outbox
             WHERE state IN ('pending', 'sending', 'retry', 'unknown') AND (?1 IS NULL OR receiver = ?1)",
        )
        .bind(receiver.map(|receiver| receiver.as_str()))
        .fetch_one(self.pool())
        .await?;
        Ok(oldest.map(Timestamp::from_micros))
    }
}

fn day(stored: &Stored<'_>) -> Result<Day, StoreError> {
    stored.get("day").map(Day)
}

fn time(stored: &Stored<'_>, column: &'static str) -> Result<Timestamp, StoreError> {
    stored.get(column).map(Timestamp::from_micros)
}

fn judgement(row: &SqliteRow) -> Result<JudgementView, StoreError> {
    let control: String = row.try_get("control")?;
    let resource: String = row.try_get("resource")?;
    let stored = Stored::new(row, "judgements", format_args!("{control} of {resource:?}"));
    let reason = || stored.get::<String>("reason");
    let verdict = match stored.get::<&str>("verdict")? {
        "pass" => Verdict::Pass,
        "fail" => Verdict::Fail,
        "unknown" => Verdict::Unknown(stored.word("reason", UnknownReason::parse)?),
        "not_applicable" => Verdict::NotApplicable(reason()?.into()),
        "excepted" => Verdict::Excepted {
            id: reason()?.into(),
            expires: time(&stored, "expires")?,
        },
        other => return Err(stored.corrupt(format_args!("column verdict holds the unknown word {other:?}"))),
    };
    let account: &str = stored.get("account")?;
    let region: &str = stored.get("region")?;
    Ok(JudgementView {
        judgement: Judgement {
            control: CheckId::new(control.as_str()),
            resource: ResourceRef {
                id: ResourceId::new(resource.as_str()),
                kind: stored.word("resource_kind", ResourceKind::parse)?,
                account: (!account.is_empty()).then(|| AccountId::from(account)),
                region: (!region.is_empty()).then(|| Region::from(region)),
            },
            verdict,
            observed: stored.get("observed")?,
            at: time(&stored, "at")?,
        },
        since: time(&stored, "since")?,
    })
}

fn quarantined(row: &SqliteRow) -> Result<QuarantineView, StoreError> {
    let id: i64 = row.try_get("id")?;
    let stored = Stored::new(row, "quarantine", id);
    Ok(QuarantineView {
        id,
        source: SourceId::new(stored.get::<String>("source")?),
        origin: stored.get("origin")?,
        reason: stored.word("reason", QuarantineReason::parse)?,
        detail: stored.get("detail")?,
        bytes: stored.maybe("bytes")?,
        sha256: stored.bytes("sha256")?,
        count: stored.count("count")?,
        first_at: time(&stored, "first_at")?,
        last_at: time(&stored, "last_at")?,
    })
}

fn ledger_entry(row: &SqliteRow) -> Result<LedgerEntry, StoreError> {
    let key: String = row.try_get("key")?;
    let stored = Stored::new(row, "access_ledger", format_args!("{key:?}"));
    Ok(LedgerEntry {
        day: day(&stored)?,
        provider: stored.word("provider", Provider::parse)?,
        account: AccountId::new(stored.get::<String>("account")?),
        key: stored.get("key")?,
        principal: stored.get("principal")?,
        operation: stored.word("operation", Action::parse)?,
        outcome: stored.word("outcome", Outcome::parse)?,
        count: stored.count("count")?,
        first: time(&stored, "first")?,
        last: time(&stored, "last")?,
    })
}

fn coverage(row: &SqliteRow) -> Result<CoverageView, StoreError> {
    let source: String = row.try_get("source")?;
    let stored = Stored::new(row, "coverage", format_args!("{source:?}"));
    Ok(CoverageView {
        day: day(&stored)?,
        source: SourceId::new(source.as_str()),
        account: AccountId::new(stored.get::<String>("account")?),
        region: Region::new(stored.get::<String>("region")?),
        records: stored.count("records")?,
        key_records: stored.count("key_records")?,
        newest: stored.maybe::<i64>("newest")?.map(Timestamp::from_micros),
    })
}

fn outbox_view(row: &SqliteRow) -> Result<OutboxView, StoreError> {
    let id: i64 = row.try_get("id")?;
    let stored = Stored::new(row, "outbox", id);
    Ok(OutboxView {
        id: OutboxId(id),
        notification: alert::notification(&stored)?,
        state: stored.word("state", OutboxState::parse)?,
        attempts: stored.small("attempts")?,
        queued_at: time(&stored, "queued_at")?,
        error: stored.maybe("error")?,
    })
}
