//! The transactional outbox: every notification that was committed is delivered, effectively once.
//!
//! ```text
//! pending ──claim──▶ sending ──▶ sent                     final
//!    │                  ├──────▶ retry(next_at)  ─claim─▶ sending     the receiver certainly does not have it
//!    │                  ├──────▶ unknown(next_at)─claim─▶ sending     the receiver may have it: was_unknown
//!    │                  └──────▶ dead                     final, unless it is queued again
//!    └──overtaken─────────────▶ skipped                   final
//! ```
//!
//! - `sending` is committed before the request leaves. A process that dies in between leaves `sending` behind, which
//!   [`Store::recover_outbox`] turns into `unknown` at the next start; a task that dies alone,
//!   [`Store::recover_outbox_of`].
//! - Once an attempt ended in `unknown`, every later claim of that row says `was_unknown`.
//! - A receiver gets the messages about one fingerprint in the order in which they were queued, across episodes: a
//!   message waits until the ones before it are final. Among those that may go, critical ones go first, then the
//!   oldest.
//! - A state that was repaired (or accepted) overtakes what was never sent: messages of the episode that certainly did
//!   not reach the receiver are skipped, and if that leaves nothing that the receiver may have seen, the end is
//!   skipped, too. Such an alert opened and ended while the receiver was out of reach; it stays in `findings` and
//!   `alerts`.
//! - An event is told all the same, beginning and end, however it ended: it happened. So is a deed that was undone
//!   (`reverted`): audit logs arrive minutes late and in batches, so whoever undoes the deed quickly would otherwise
//!   never be seen. What is not known to be a state (its finding is gone) is told, too.
//! - The end of an episode of which the receiver has nothing and will get nothing is never sent.

use keyvigil_model::alert::Notification;
use keyvigil_model::finding::FindingKind;
use keyvigil_model::id::{Fingerprint, ReceiverId};
use keyvigil_model::time::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row, SqliteConnection};

use crate::commit::{OutboxId, OutboxRow, Settlement};
use crate::error::StoreError;
use crate::failpoint;
use crate::rows::{Stored, alert};
use crate::store::{Store, Writer};
use crate::write;

/// A receiver that knows of an open alert.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Told {
    /// The alert.
    pub fingerprint: Fingerprint,
    /// Its episode.
    pub episode: u32,
    /// Who knows of it.
    pub receiver: ReceiverId,
}

impl Store {
    /// Claims up to `limit` notifications of a receiver that are due. They are `sending` on disk when this returns:
    /// deliver each and settle it.
    ///
    /// A row that cannot be read becomes `dead` and does not hold up its neighbours.
    pub async fn claim_outbox(
        &self,
        receiver: &ReceiverId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let mut writer = self.writer().await?;
        let result = claim(&mut writer, receiver, now, limit).await;
        let claimed = writer.keep_if_sound(result)?;
        if !claimed.is_empty() {
            failpoint::hit("outbox_claimed");
        }
        Ok(claimed)
    }

    /// Records what became of a claimed notification. [`crate::Commit::settled`] does it together with other writes.
    pub async fn settle_outbox(
        &self,
        id: OutboxId,
        settlement: Settlement,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        let result = write::outbox::settle(writer.connection(), &[(id, settlement)], now).await;
        writer.keep_if_sound(result)
    }

    /// Who was or will be told about alerts that are open: more than the routes say where a fallback was used.
    pub async fn told(&self) -> Result<Vec<Told>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT fingerprint, episode, receiver FROM outbox JOIN alerts USING (fingerprint, episode)
             WHERE alerts.state IN ('open', 'acknowledged') AND outbox.action = 'trigger'
              AND (outbox.state NOT IN ('skipped', 'dead') OR outbox.ambiguous = 1)
             ORDER BY fingerprint, episode, receiver",
        )
        .fetch_all(self.pool())
        .await?;
        let mut told = Vec::with_capacity(rows.len());
        for row in &rows {
            match read_told(&Stored::new(row, "outbox", "(told)")) {
                Ok(one) => told.push(one),
                Err(error) => {
                    tracing::error!(%error, "who was told of an alert cannot be read and is left out")
                }
            }
        }
        Ok(told)
    }

    /// To be called once at start, before the first claim: attempts that the last process left behind may have
    /// arrived. Returns how many there were.
    pub async fn recover_outbox(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.recover(None, now).await
    }

    /// The same for one receiver, whose delivery begins anew while the process goes on. Whoever still holds a claim
    /// from before may settle it all the same: nothing happens unless the row was claimed again.
    pub async fn recover_outbox_of(&self, receiver: &ReceiverId, now: Timestamp) -> Result<u64, StoreError> {
        self.recover(Some(receiver), now).await
    }

    async fn recover(&self, receiver: Option<&ReceiverId>, now: Timestamp) -> Result<u64, StoreError> {
        let mut writer = self.writer().await?;
        let result = sqlx::query(
            "UPDATE outbox SET state = 'unknown', ambiguous = 1, next_at = ?1,
              error = 'keyvigil ended during the attempt'
             WHERE state = 'sending' AND (?2 IS NULL OR receiver = ?2)",
        )
        .bind(now.as_micros())
        .bind(receiver.map(ReceiverId::as_str))
        .execute(writer.connection())
        .await
        .map_err(StoreError::from);
        Ok(writer.keep_if_sound(result)?.rows_affected())
    }
}

async fn claim(
    writer: &mut Writer<'_>,
    receiver: &ReceiverId,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<OutboxRow>, StoreError> {
    let mut transaction = writer.connection().begin_with("BEGIN IMMEDIATE").await?;
    skip_overtaken(&mut transaction, receiver, now).await?;
    let rows = take(&mut transaction, receiver, now, limit).await?;
    let mut claimed = Vec::with_capacity(rows.len());
    for row in &rows {
        let id: i64 = row.try_get("id")?;
        match read_claimed(row, id) {
            Ok(ready) => claimed.push(ready),
            Err(error @ StoreError::Corrupt { .. }) => {
                tracing::error!(id, %error, "a queued notification cannot be read and is given up");
                let dead = Settlement::Dead {
                    error: error.to_string(),
                };
                write::outbox::settle(&mut transaction, &[(OutboxId(id), dead)], now).await?;
            }
            Err(other) => return Err(other),
        }
    }
    transaction.commit().await?;
    Ok(claimed)
}

/// Skips messages about ended states that the receiver certainly did not get, then ends of which the receiver neither
/// has the beginning nor will get it.
async fn skip_overtaken(
    connection: &mut SqliteConnection,
    receiver: &ReceiverId,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE outbox SET state = 'skipped', settled_at = ?2
         WHERE receiver = ?1 AND action = 'trigger' AND state IN ('pending', 'retry') AND ambiguous = 0
          AND EXISTS (SELECT 1 FROM findings WHERE findings.id = outbox.finding AND findings.kind = ?3)
          AND EXISTS (SELECT 1 FROM outbox AS over
            WHERE over.receiver = outbox.receiver AND over.fingerprint = outbox.fingerprint
             AND over.episode = outbox.episode AND over.action = 'resolve' AND over.id > outbox.id
             AND over.reason IN ('resolved', 'excepted')
             AND over.state IN ('pending', 'sending', 'retry', 'unknown'))",
    )
    .bind(receiver.as_str())
    .bind(now.as_micros())
    .bind(FindingKind::State.as_str())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE outbox SET state = 'skipped', settled_at = ?2
         WHERE receiver = ?1 AND action = 'resolve' AND state = 'pending'
          AND NOT EXISTS (SELECT 1 FROM outbox AS begun
            WHERE begun.fingerprint = outbox.fingerprint AND begun.episode = outbox.episode
             AND begun.receiver = outbox.receiver AND begun.action = 'trigger'
             AND (begun.state IN ('sent', 'pending', 'sending', 'retry', 'unknown') OR begun.ambiguous = 1))",
    )
    .bind(receiver.as_str())
    .bind(now.as_micros())
    .execute(connection)
    .await?;
    Ok(())
}

async fn take(
    connection: &mut SqliteConnection,
    receiver: &ReceiverId,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<SqliteRow>, StoreError> {
    let mut rows = sqlx::query(
        "UPDATE outbox SET state = 'sending', attempts = attempts + 1, claimed_at = ?2
         WHERE id IN (SELECT id FROM outbox AS next
           WHERE receiver = ?1 AND state IN ('pending', 'retry', 'unknown') AND next_at <= ?2
            AND NOT EXISTS (SELECT 1 FROM outbox AS before
              WHERE before.receiver = next.receiver AND before.fingerprint = next.fingerprint
               AND before.id < next.id AND before.state IN ('pending', 'sending', 'retry', 'unknown'))
           ORDER BY severity = 'critical' DESC, id LIMIT ?3)
         RETURNING *",
    )
    .bind(receiver.as_str())
    .bind(now.as_micros())
    .bind(limit)
    .fetch_all(connection)
    .await?;
    // RETURNING promises no order.
    rows.sort_by_key(|row| {
        let critical = row
            .try_get::<&str, _>("severity")
            .is_ok_and(|severity| severity == "critical");
        (!critical, row.try_get::<i64, _>("id").unwrap_or(i64::MAX))
    });
    Ok(rows)
}

fn read_told(stored: &Stored<'_>) -> Result<Told, StoreError> {
    Ok(Told {
        fingerprint: Fingerprint(stored.bytes("fingerprint")?),
        episode: stored.small("episode")?,
        receiver: ReceiverId::new(stored.get::<String>("receiver")?),
    })
}

fn read_claimed(row: &SqliteRow, id: i64) -> Result<OutboxRow, StoreError> {
    let stored = Stored::new(row, "outbox", id);
    let notification: Notification = alert::notification(&stored)?;
    Ok(OutboxRow {
        id: OutboxId(id),
        notification,
        attempts: stored.small("attempts")?,
        was_unknown: stored.get::<i64>("ambiguous")? != 0,
    })
}
