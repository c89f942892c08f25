//! Queueing notifications and recording what became of them. The states and their order: [`crate::outbox`].

use keyvigil_model::alert::{Notification, NotifyAction, NotifyReason};
use keyvigil_model::time::Timestamp;
use sha2::{Digest, Sha256};
use sqlx::SqliteConnection;

use crate::commit::{OutboxId, Settlement};
use crate::error::StoreError;
use crate::rows::message;
use crate::view::OutboxState;

/// Queues notifications. One that is there already is left as it is, except a dead one: who queues it again knows
/// that nobody was told, so it starts anew with what is said now. It keeps its place and the doubt whether an earlier
/// attempt arrived.
pub(crate) async fn enqueue(
    connection: &mut SqliteConnection,
    notifications: &[Notification],
    now: Timestamp,
) -> Result<(), StoreError> {
    for notification in notifications {
        let message = message::to_json(&notification.message);
        let added = sqlx::query(
            "INSERT INTO outbox
             (fingerprint, episode, receiver, action, reason, seq, severity, finding, message, state,
              queued_at, next_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11)
             ON CONFLICT (fingerprint, episode, receiver, action, seq) DO UPDATE SET
              state = excluded.state, attempts = 0, reason = excluded.reason, severity = excluded.severity,
              finding = excluded.finding, message = excluded.message, queued_at = excluded.queued_at,
              next_at = excluded.next_at, claimed_at = NULL, settled_at = NULL, error = NULL
             WHERE outbox.state = 'dead'",
        )
        .bind(notification.fingerprint.0.as_slice())
        .bind(notification.episode)
        .bind(notification.receiver.as_str())
        .bind(notification.action.as_str())
        .bind(notification.reason.as_str())
        .bind(seq(notification, &message))
        .bind(notification.severity.as_str())
        .bind(notification.finding.as_str())
        .bind(message)
        .bind(OutboxState::Pending.as_str())
        .bind(now.as_micros())
        .execute(&mut *connection)
        .await?
        .rows_affected();
        if added == 0 {
            tracing::debug!(
                fingerprint = %notification.fingerprint,
                episode = notification.episode,
                receiver = %notification.receiver,
                reason = notification.reason.as_str(),
                "this notification was queued before"
            );
        }
    }
    Ok(())
}

/// Tells the messages of one episode to one receiver apart.
///
/// An episode is opened once and closed once. Anything between them may be said several times: those messages
/// differ in their content (at least in the time at which they were queued), so the content's hash numbers them,
/// and the same commit made twice gives the same numbers.
fn seq(notification: &Notification, message: &str) -> String {
    let repeatable = match (notification.action, notification.reason) {
        (NotifyAction::Resolve, _) => return "resolve".to_owned(),
        (NotifyAction::Trigger, NotifyReason::New) => return "new".to_owned(),
        (
            NotifyAction::Trigger,
            reason @ (NotifyReason::Changed
            | NotifyReason::Repeat
            | NotifyReason::Resolved
            | NotifyReason::Reverted
            | NotifyReason::Excepted
            | NotifyReason::PossibleDuplicate
            | NotifyReason::Fallback
            | NotifyReason::Test),
        ) => reason,
    };
    let mut hasher = Sha256::new();
    hasher.update(notification.finding.as_str().as_bytes());
    hasher.update([0]);
    hasher.update(notification.severity.as_str().as_bytes());
    hasher.update([0]);
    hasher.update(message.as_bytes());
    let digest = hasher.finalize();
    let short: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{} {short}", repeatable.as_str())
}

/// Records what became of claimed notifications. One that is not claimed (any more) is left as it is: its attempt
/// was recovered or settled before.
pub(crate) async fn settle(
    connection: &mut SqliteConnection,
    settled: &[(OutboxId, Settlement)],
    now: Timestamp,
) -> Result<(), StoreError> {
    for (OutboxId(id), settlement) in settled {
        let (state, next_at, error) = match settlement {
            Settlement::Sent => (OutboxState::Sent, None, None),
            Settlement::Retry { at, error } => (OutboxState::Retry, Some(at.as_micros()), Some(error)),
            Settlement::Unknown { at, error } => (OutboxState::Unknown, Some(at.as_micros()), Some(error)),
            Settlement::Dead { error } => (OutboxState::Dead, None, Some(error)),
        };
        let changed = sqlx::query(
            "UPDATE outbox SET state = ?2, next_at = COALESCE(?3, next_at), error = ?4,
              ambiguous = ambiguous OR ?2 = 'unknown',
              settled_at = CASE WHEN ?2 IN ('sent', 'dead') THEN ?5 ELSE NULL END
             WHERE id = ?1 AND state = 'sending'",
        )
        .bind(id)
        .bind(state.as_str())
        .bind(next_at)
        .bind(error)
        .bind(now.as_micros())
        .execute(&mut *connection)
        .await?
        .rows_affected();
        if changed == 0 {
            tracing::warn!(id, "a notification was settled that is not being sent");
        }
    }
    Ok(())
}
