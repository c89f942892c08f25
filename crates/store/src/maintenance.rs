//! Housekeeping: pruning, checkpoints of the write-ahead log, backups, sizes, the self-audit's proof.

use std::time::Duration;

use keyvigil_model::alert::AlertState;
use keyvigil_model::id::Fingerprint;
use keyvigil_model::time::{Day, Timestamp};
use sqlx::{Connection, Row, SqliteConnection};

use crate::commit::{AuditRow, Commit};
use crate::error::StoreError;
use crate::failpoint;
use crate::read::Reader;
use crate::rows::Stored;
use crate::state_dir::{create_private, file_error};
use crate::store::{Store, Writer};
use crate::view::{AuditChain, AuditView, Found, Pruned, Retention, StoreSize};
use crate::write;
use crate::write::self_audit::{Hash, ORIGIN, link, stored_hash};

impl Store {
    /// Changes the state of one episode of an alert by hand and writes down who did it. The alert book in memory has
    /// to be told, too.
    pub async fn set_alert_state(
        &self,
        fingerprint: Fingerprint,
        episode: u32,
        state: AlertState,
        audit: AuditRow,
    ) -> Result<Found, StoreError> {
        let mut writer = self.writer().await?;
        let result = set_alert_state(&mut writer, (fingerprint, episode, state), audit).await;
        writer.keep_if_sound(result)
    }

    /// Removes what is older than `retention`, in short transactions. Never touches a notification that was not
    /// delivered. Once a day is enough.
    pub async fn prune(&self, now: Timestamp, retention: &Retention) -> Result<Pruned, StoreError> {
        let mut pruned = Pruned::default();
        self.prune_seen(now, retention.seen, &mut pruned).await?;
        failpoint::hit("prune_mid");
        let mut writer = self.writer().await?;
        let result = prune_rows(writer.connection(), now, retention, &mut pruned).await;
        writer.keep_if_sound(result)?;
        Ok(pruned)
    }

    /// Drops the days of dedupe keys that are over, in slices so that commits get their turn in between.
    async fn prune_seen(
        &self,
        now: Timestamp,
        keep: Duration,
        pruned: &mut Pruned,
    ) -> Result<(), StoreError> {
        let Day(oldest) = now.minus(keep).day();
        loop {
            let mut writer = self.writer().await?;
            let result = prune_seen_slice(writer.connection(), oldest).await;
            match writer.keep_if_sound(result)? {
                Slice::Deleted(keys) => pruned.seen += keys,
                Slice::DayDone => pruned.seen_days += 1,
                Slice::NothingLeft => return Ok(()),
            }
            failpoint::hit("prune_mid");
        }
    }

    /// Moves the write-ahead log into the database file and empties it. For idle moments and the end.
    pub async fn checkpoint_wal(&self) -> Result<Checkpointed, StoreError> {
        let mut writer = self.writer().await?;
        let result = checkpoint(writer.connection()).await;
        writer.keep_if_sound(result)
    }

    /// Writes a copy of the database beside it (`VACUUM INTO`) and puts it in place of the last one when it is whole.
    /// Does not hold up the writer. Opening falls back on this copy if the database is damaged.
    pub async fn backup(&self) -> Result<(), StoreError> {
        let (fresh, kept) = (self.dir().backup_in_progress(), self.dir().backup());
        if fresh.exists() {
            std::fs::remove_file(&fresh).map_err(file_error("remove", &fresh))?;
        }
        create_private(&fresh)?;
        // SQLite writes into the empty file that is there and keeps its mode.
        sqlx::query("VACUUM INTO ?")
            .bind(fresh.to_string_lossy().into_owned())
            .execute(self.pool())
            .await?;
        std::fs::File::open(&fresh)
            .and_then(|file| file.sync_all())
            .map_err(file_error("sync", &fresh))?;
        std::fs::rename(&fresh, &kept).map_err(file_error("rename", &fresh))
    }

    /// What the database takes on disk.
    pub async fn size(&self) -> Result<StoreSize, StoreError> {
        let bytes = |path: &std::path::Path| path.metadata().map_or(0, |found| found.len());
        let free: i64 = sqlx::query_scalar(
            "SELECT freelist_count * page_size FROM pragma_freelist_count(), pragma_page_size()",
        )
        .fetch_one(self.pool())
        .await?;
        let [wal, _index] = self.dir().side_files();
        Ok(StoreSize {
            database: bytes(&self.dir().database()),
            wal: bytes(&wal),
            free: u64::try_from(free).unwrap_or(0),
        })
    }
}

/// What a checkpoint of the write-ahead log reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Checkpointed {
    /// Everything is in the database file and the log is empty.
    Whole,
    /// A reader still needs a part of the log.
    Busy,
}

async fn set_alert_state(
    writer: &mut Writer<'_>,
    (fingerprint, episode, state): (Fingerprint, u32, AlertState),
    audit: AuditRow,
) -> Result<Found, StoreError> {
    let mut transaction = writer.connection().begin_with("BEGIN IMMEDIATE").await?;
    let now = audit.time;
    let found = write::alerts::set_state(&mut transaction, fingerprint, episode, state, now).await?;
    if found == Found::Changed {
        let commit = Commit {
            self_audit: vec![audit],
            ..Commit::at(now)
        };
        write::everything(&mut transaction, &commit).await?;
    }
    transaction.commit().await?;
    Ok(found)
}

/// Keys that one transaction of a prune deletes.
const SLICE: i64 = 20_000;

/// What one transaction of a prune did.
enum Slice {
    Deleted(u64),
    DayDone,
    NothingLeft,
}

async fn prune_seen_slice(connection: &mut SqliteConnection, oldest: i32) -> Result<Slice, StoreError> {
    let day: Option<i64> = sqlx::query_scalar("SELECT MIN(day) FROM seen_days WHERE day < ?")
        .bind(oldest)
        .fetch_one(&mut *connection)
        .await?;
    let Some(day) = day else {
        return Ok(Slice::NothingLeft);
    };
    let last_of_slice: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT key FROM seen_events WHERE day = ? ORDER BY key LIMIT 1 OFFSET ?")
            .bind(day)
            .bind(SLICE)
            .fetch_optional(&mut *connection)
            .await?;
    if let Some(last) = last_of_slice {
        let deleted = sqlx::query("DELETE FROM seen_events WHERE day = ? AND key < ?")
            .bind(day)
            .bind(last)
            .execute(connection)
            .await?;
        return Ok(Slice::Deleted(deleted.rows_affected()));
    }
    let deleted = sqlx::query("DELETE FROM seen_events WHERE day = ?")
        .bind(day)
        .execute(&mut *connection)
        .await?;
    if deleted.rows_affected() > 0 {
        return Ok(Slice::Deleted(deleted.rows_affected()));
    }
    // Last, so that a prune that is killed is taken up again.
    sqlx::query("DELETE FROM seen_days WHERE day = ?")
        .bind(day)
        .execute(connection)
        .await?;
    Ok(Slice::DayDone)
}

async fn prune_rows(
    connection: &mut SqliteConnection,
    now: Timestamp,
    retention: &Retention,
    pruned: &mut Pruned,
) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let before = |keep: Duration| now.minus(keep).as_micros();
    pruned.objects = run(
        &mut transaction,
        "DELETE FROM objects WHERE at < ?",
        before(retention.objects),
    )
    .await?;
    pruned.attempts = run(
        &mut transaction,
        "DELETE FROM attempts WHERE last_at < ?",
        before(retention.attempts),
    )
    .await?;
    pruned.quarantine_bodies = run(
        &mut transaction,
        "UPDATE quarantine SET bytes = NULL WHERE bytes IS NOT NULL AND last_at < ?",
        before(retention.quarantine_bodies),
    )
    .await?;
    pruned.quarantine_bodies += run(
        &mut transaction,
        "UPDATE quarantine SET bytes = NULL WHERE id IN (SELECT id FROM
          (SELECT id, SUM(length(bytes)) OVER (ORDER BY last_at DESC, id DESC) AS kept
           FROM quarantine WHERE bytes IS NOT NULL) WHERE kept > ?)",
        write::count(retention.quarantine_bytes),
    )
    .await?;
    // The messages of an alert that is still open stay: whether its end is to be told depends on them.
    pruned.outbox = run(
        &mut transaction,
        "DELETE FROM outbox WHERE state IN ('sent', 'skipped') AND settled_at < ?
          AND NOT EXISTS (SELECT 1 FROM alerts WHERE alerts.fingerprint = outbox.fingerprint
            AND alerts.episode = outbox.episode AND alerts.state IN ('open', 'acknowledged'))
          AND NOT EXISTS (SELECT 1 FROM outbox AS other WHERE other.fingerprint = outbox.fingerprint
            AND other.episode = outbox.episode AND other.receiver = outbox.receiver
            AND other.state IN ('pending', 'sending', 'retry', 'unknown'))",
        before(retention.outbox),
    )
    .await?;
    transaction.commit().await?;
    sqlx::query("PRAGMA incremental_vacuum(2000)")
        .execute(connection)
        .await?;
    Ok(())
}

async fn run(
    connection: &mut SqliteConnection,
    statement: &'static str,
    bound: i64,
) -> Result<u64, StoreError> {
    Ok(sqlx::query(statement)
        .bind(bound)
        .execute(connection)
        .await?
        .rows_affected())
}

async fn checkpoint(connection: &mut SqliteConnection) -> Result<Checkpointed, StoreError> {
    sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
        .fetch_one(&mut *connection)
        .await?;
    failpoint::hit("checkpoint_mid");
    let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .fetch_one(connection)
        .await?;
    Ok(if row.try_get::<i64, _>(0)? == 0 {
        Checkpointed::Whole
    } else {
        Checkpointed::Busy
    })
}

impl Reader {
    /// Checks that every row of the self-audit follows from the one before.
    pub async fn verify_self_audit(&self) -> Result<AuditChain, StoreError> {
        let mut connection = self.pool().acquire().await?;
        let mut transaction = connection.begin().await?;
        let (mut rows, mut head): (u64, Hash) = (0, ORIGIN);
        let mut last = 0;
        loop {
            let page = audit_page(&mut transaction, last).await?;
            if page.is_empty() {
                return Ok(AuditChain::Intact { rows, head });
            }
            for (view, previous) in page {
                if let Some(problem) = misfit(&view, &previous, last, &head) {
                    return Ok(AuditChain::Broken {
                        seq: view.seq,
                        problem,
                    });
                }
                (last, head, rows) = (view.seq, view.hash, rows + 1);
            }
        }
    }

    /// Rows of the self-audit after `seq`, oldest first; at most 500.
    pub async fn self_audit_after(&self, seq: i64) -> Result<Vec<AuditView>, StoreError> {
        let mut connection = self.pool().acquire().await?;
        let page = audit_page(&mut connection, seq).await?;
        Ok(page.into_iter().map(|(view, _)| view).collect())
    }
}

/// What keeps a row from following `head`, the hash of row `last`.
fn misfit(view: &AuditView, previous: &Hash, last: i64, head: &Hash) -> Option<&'static str> {
    if view.seq != last + 1 {
        return Some("a row before it is missing");
    }
    if previous != head {
        return Some("it does not name the hash of the row before it");
    }
    if link(view.seq, &view.row, head) != view.hash {
        return Some("its content does not have its hash");
    }
    None
}

async fn audit_page(
    connection: &mut SqliteConnection,
    after: i64,
) -> Result<Vec<(AuditView, Hash)>, StoreError> {
    let rows = sqlx::query("SELECT * FROM self_audit WHERE seq > ? ORDER BY seq LIMIT 500")
        .bind(after)
        .fetch_all(connection)
        .await?;
    let mut page = Vec::with_capacity(rows.len());
    for row in &rows {
        let seq: i64 = row.try_get("seq")?;
        let stored = Stored::new(row, "self_audit", seq);
        let view = AuditView {
            seq,
            row: AuditRow {
                time: stored.get("time").map(Timestamp::from_micros)?,
                actor: stored.get("actor")?,
                action: stored.get("action")?,
                data: stored.get("data")?,
            },
            hash: stored_hash(seq, stored.get("hash")?)?,
        };
        page.push((view, stored_hash(seq, stored.get("prev_hash")?)?));
    }
    Ok(page)
}
