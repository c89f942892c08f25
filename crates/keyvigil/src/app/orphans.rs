//! Messages that wait for a receiver which is no longer configured: they go to the fallback, and it is said.

use keyvigil_connector::call::Clock;
use keyvigil_model::id::ReceiverId;
use keyvigil_store::{Store, StoreError};
use tokio::sync::mpsc;

use crate::pipeline::Command;

/// Messages handed over in one go.
const AT_ONCE: u32 = 100;

/// Gives up every message for a receiver that is not in `configured`. The open alerts themselves are told to the
/// receivers of today by the alert book, which knows from the store who was really told.
pub(super) async fn give_up(
    store: &Store,
    clock: &dyn Clock,
    configured: &[ReceiverId],
    pipeline: &mpsc::Sender<Command>,
) -> Result<(), StoreError> {
    let counts = store.outbox_counts().await?;
    let mut orphans: Vec<ReceiverId> = counts
        .into_iter()
        .filter(|count| count.state.is_waiting() && !configured.contains(&count.receiver))
        .map(|count| count.receiver)
        .collect();
    orphans.dedup();
    for receiver in orphans {
        tracing::warn!(%receiver, "messages wait for a receiver that is no longer configured; they go to the fallback");
        loop {
            let rows = store.claim_outbox(&receiver, clock.now(), AT_ONCE).await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let command = Command::GaveUp {
                    id: row.id,
                    notification: Box::new(row.notification),
                    error: String::from("the receiver is no longer configured"),
                };
                if pipeline.send(command).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}
