//! The outbox: its states, its order, and what happens when the process dies.

use keyvigil_model::alert::{AlertState, Notification, NotifyAction, NotifyReason};
use keyvigil_model::id::{Fingerprint, ReceiverId};
use keyvigil_model::severity::Severity;
use keyvigil_model::time::Timestamp;

use super::builder::Build;
use super::{TempDir, at, open, sql};
use crate::commit::{Commit, OutboxRow, Settlement};
use crate::outbox::Told;
use crate::view::OutboxState;
use crate::{Store, StoreError};

/// What a case says about one notification: alert, episode, reason.
pub(super) type Said = (u8, u32, NotifyReason);

pub(super) fn slack() -> ReceiverId {
    ReceiverId::from("slack")
}

fn print(alert: u8) -> Fingerprint {
    Fingerprint([alert; 16])
}

pub(super) fn notification((alert, episode, reason): Said) -> Notification {
    let action = match reason {
        NotifyReason::Resolved | NotifyReason::Reverted | NotifyReason::Excepted => NotifyAction::Resolve,
        NotifyReason::New
        | NotifyReason::Changed
        | NotifyReason::Repeat
        | NotifyReason::PossibleDuplicate
        | NotifyReason::Fallback
        | NotifyReason::Test => NotifyAction::Trigger,
    };
    Notification {
        fingerprint: print(alert),
        episode,
        receiver: slack(),
        reason,
        action,
        severity: Severity::High,
        ..Build::new(u64::from(alert)).notification()
    }
}

pub(super) async fn enqueue(store: &Store, notifications: Vec<Notification>, now: Timestamp) {
    store
        .commit(Commit {
            outbox: notifications,
            ..Commit::at(now)
        })
        .await
        .unwrap();
}

pub(super) async fn claim(store: &Store, now: Timestamp) -> Vec<OutboxRow> {
    store.claim_outbox(&slack(), now, 100).await.unwrap()
}

pub(super) async fn claim_after(store: &Store, queued: &[Said]) -> Vec<OutboxRow> {
    enqueue(store, queued.iter().copied().map(notification).collect(), at(0)).await;
    claim(store, at(0)).await
}

pub(super) fn said(rows: &[OutboxRow]) -> Vec<Said> {
    rows.iter()
        .map(|row| {
            let one = &row.notification;
            (one.fingerprint.0[0], one.episode, one.reason)
        })
        .collect()
}

async fn states(store: &Store) -> Vec<(OutboxState, u64)> {
    let counts = store.outbox_counts().await.unwrap();
    counts
        .into_iter()
        .map(|count| (count.state, count.rows))
        .collect()
}

pub(super) fn error() -> String {
    "503".to_owned()
}

#[tokio::test]
async fn every_settlement_leads_where_it_should() {
    let cases = [
        (Settlement::Sent, OutboxState::Sent, None),
        (Settlement::Dead { error: error() }, OutboxState::Dead, None),
        (
            Settlement::Retry {
                at: at(60),
                error: error(),
            },
            OutboxState::Retry,
            Some(false),
        ),
        (
            Settlement::Unknown {
                at: at(60),
                error: error(),
            },
            OutboxState::Unknown,
            Some(true),
        ),
    ];
    for (settlement, state, comes_back) in cases {
        let dir = TempDir::new("settlement");
        let store = open(&dir.state()).await;
        enqueue(&store, vec![notification((1, 1, NotifyReason::New))], at(0)).await;
        assert_eq!(store.outbox_oldest(Some(&slack())).await.unwrap(), Some(at(0)));
        let first = claim(&store, at(1)).await;
        assert_eq!((first[0].attempts, first[0].was_unknown), (1, false));
        assert_eq!(states(&store).await, [(OutboxState::Sending, 1)]);
        assert!(claim(&store, at(2)).await.is_empty(), "claimed twice");

        store
            .settle_outbox(first[0].id, settlement.clone(), at(3))
            .await
            .unwrap();
        assert_eq!(states(&store).await, [(state, 1)], "{settlement:?}");
        // A second word on the same attempt changes nothing.
        store
            .settle_outbox(first[0].id, Settlement::Sent, at(4))
            .await
            .unwrap();
        assert_eq!(states(&store).await, [(state, 1)], "{settlement:?}");
        assert!(
            claim(&store, at(59)).await.is_empty(),
            "before its time: {settlement:?}"
        );

        let again = claim(&store, at(60)).await;
        let read = again.first().map(|row| row.was_unknown);
        assert_eq!(read, comes_back, "{settlement:?}");
        assert!(again.iter().all(|row| row.attempts == 2));
        let oldest = store.outbox_oldest(None).await.unwrap();
        assert_eq!(oldest, state.is_waiting().then(|| at(0)));
    }
}

#[tokio::test]
async fn doubt_stays_with_a_notification() {
    let dir = TempDir::new("doubt");
    let store = open(&dir.state()).await;
    enqueue(&store, vec![notification((1, 1, NotifyReason::New))], at(0)).await;
    let unknown = Settlement::Unknown {
        at: at(1),
        error: error(),
    };
    let retry = Settlement::Retry {
        at: at(2),
        error: error(),
    };
    for (seconds, settlement, doubted) in [(0, unknown, false), (1, retry, true)] {
        let row = claim(&store, at(seconds)).await.remove(0);
        assert_eq!(row.was_unknown, doubted);
        store
            .settle_outbox(row.id, settlement, at(seconds))
            .await
            .unwrap();
    }
    assert!(
        claim(&store, at(2)).await[0].was_unknown,
        "a later refusal does not undo the doubt"
    );
}

#[tokio::test]
async fn an_attempt_that_a_crash_cut_off_is_unknown() {
    let dir = TempDir::new("crash");
    let store = open(&dir.state()).await;
    enqueue(
        &store,
        vec![
            notification((1, 1, NotifyReason::New)),
            notification((2, 1, NotifyReason::New)),
        ],
        at(0),
    )
    .await;
    let claimed = store.claim_outbox(&slack(), at(1), 1).await.unwrap();
    drop(store);

    let store = open(&dir.state()).await;
    assert_eq!(store.recover_outbox(at(10)).await.unwrap(), 1);
    assert_eq!(store.recover_outbox(at(10)).await.unwrap(), 0);
    let again = claim(&store, at(10)).await;
    let read: Vec<_> = again
        .iter()
        .map(|row| (row.id, row.attempts, row.was_unknown))
        .collect();
    assert_eq!(read[0], (claimed[0].id, 2, true));
    assert_eq!((read[1].1, read[1].2), (1, false));
}

#[tokio::test]
async fn the_attempts_of_one_receiver_are_recovered_and_a_late_word_on_them_is_harmless() {
    let dir = TempDir::new("one-receiver");
    let store = open(&dir.state()).await;
    let pagerduty = ReceiverId::from("pagerduty");
    let other = Notification {
        receiver: pagerduty.clone(),
        ..notification((1, 1, NotifyReason::New))
    };
    enqueue(
        &store,
        vec![notification((1, 1, NotifyReason::New)), other],
        at(0),
    )
    .await;
    let cut_off = claim(&store, at(1)).await.remove(0);
    assert_eq!(store.claim_outbox(&pagerduty, at(1), 9).await.unwrap().len(), 1);

    assert_eq!(store.recover_outbox_of(&slack(), at(2)).await.unwrap(), 1);
    assert_eq!(store.recover_outbox_of(&slack(), at(2)).await.unwrap(), 0);
    let counts = [(OutboxState::Sending, 1), (OutboxState::Unknown, 1)];
    assert_eq!(
        states(&store).await,
        counts,
        "the other receiver's attempt goes on"
    );

    // The attempt was given up before its task died; the word of it arrives only now.
    let late = Commit {
        settled: vec![(cut_off.id, Settlement::Dead { error: error() })],
        ..Commit::at(at(3))
    };
    store.commit(late.clone()).await.unwrap();
    assert_eq!(states(&store).await, counts);
    let again = claim(&store, at(4)).await.remove(0);
    assert_eq!((again.id, again.was_unknown), (cut_off.id, true));
    store
        .settle_outbox(again.id, Settlement::Sent, at(5))
        .await
        .unwrap();
    store.commit(late).await.unwrap();
    assert_eq!(
        states(&store).await,
        [(OutboxState::Sending, 1), (OutboxState::Sent, 1)]
    );
}

#[tokio::test]
async fn the_same_notification_is_queued_once() {
    use NotifyReason::{Changed, New, Repeat, Resolved, Reverted};
    let later = |mut one: Notification| {
        one.message.alerted_at = at(500);
        one
    };
    let cases = [
        (notification((1, 1, New)), notification((1, 1, New)), 1),
        (notification((1, 1, New)), later(notification((1, 1, New))), 1),
        (notification((1, 1, New)), notification((1, 2, New)), 2),
        (notification((1, 1, New)), notification((1, 1, Changed)), 2),
        (notification((1, 1, Repeat)), notification((1, 1, Repeat)), 1),
        (
            notification((1, 1, Repeat)),
            later(notification((1, 1, Repeat))),
            2,
        ),
        (notification((1, 1, Resolved)), notification((1, 1, Reverted)), 1),
        (notification((1, 1, New)), notification((1, 1, Resolved)), 2),
    ];
    for (number, (first, second, wanted)) in cases.into_iter().enumerate() {
        let dir = TempDir::new("once");
        let store = open(&dir.state()).await;
        enqueue(&store, vec![first.clone()], at(0)).await;
        enqueue(&store, vec![second, first], at(1)).await;
        assert_eq!(
            states(&store).await,
            [(OutboxState::Pending, wanted)],
            "case {number}"
        );
    }
    // What was delivered is not queued again either.
    let dir = TempDir::new("once-sent");
    let store = open(&dir.state()).await;
    enqueue(&store, vec![notification((1, 1, New))], at(0)).await;
    let row = claim(&store, at(0)).await.remove(0);
    store
        .settle_outbox(row.id, Settlement::Sent, at(0))
        .await
        .unwrap();
    enqueue(&store, vec![notification((1, 1, New))], at(1)).await;
    assert_eq!(states(&store).await, [(OutboxState::Sent, 1)]);
}

#[tokio::test]
async fn a_dead_notification_that_is_queued_again_is_sent_again() {
    let dir = TempDir::new("revived");
    let store = open(&dir.state()).await;
    for round in 0..2 {
        let mut one = notification((1, 1, NotifyReason::New));
        one.message.alerted_at = at(round);
        enqueue(&store, vec![one.clone()], at(round)).await;
        assert_eq!(store.outbox_oldest(None).await.unwrap(), Some(at(round)));
        let row = claim(&store, at(round)).await.remove(0);
        assert_eq!((row.attempts, row.was_unknown), (1, false), "round {round}");
        assert_eq!(row.notification, one, "what is said is what is known now");
        let dead = Settlement::Dead { error: error() };
        store.settle_outbox(row.id, dead, at(round)).await.unwrap();
        assert_eq!(states(&store).await, [(OutboxState::Dead, 1)]);
    }
}

#[tokio::test]
async fn a_dead_notification_and_its_fallback_are_one_transaction() {
    let dir = TempDir::new("fallback");
    let store = open(&dir.state()).await;
    let row = claim_after(&store, &[(1, 1, NotifyReason::New)]).await.remove(0);
    let fallback = Notification {
        receiver: ReceiverId::from("pagerduty"),
        ..notification((1, 1, NotifyReason::Fallback))
    };
    let alert = keyvigil_model::alert::Alert {
        fingerprint: print(1),
        episode: 1,
        state: AlertState::Open,
        ..Build::new(1).alert()
    };
    store
        .commit(Commit {
            settled: vec![(row.id, Settlement::Dead { error: error() })],
            outbox: vec![fallback],
            alerts: vec![alert],
            ..Commit::at(at(1))
        })
        .await
        .unwrap();
    let dead = store.outbox(OutboxState::Dead, 10).await.unwrap();
    assert_eq!((dead.len(), dead[0].error.as_deref()), (1, Some("503")));
    let told = Told {
        fingerprint: print(1),
        episode: 1,
        receiver: ReceiverId::from("pagerduty"),
    };
    assert_eq!(store.told().await.unwrap(), [told]);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_does_not_hold_up_its_neighbours() {
    let dir = TempDir::new("unreadable");
    let store = open(&dir.state()).await;
    enqueue(
        &store,
        vec![
            notification((1, 1, NotifyReason::New)),
            notification((2, 1, NotifyReason::New)),
        ],
        at(0),
    )
    .await;
    sql(&store, "UPDATE outbox SET message = '{' WHERE id = 1").await;
    assert_eq!(said(&claim(&store, at(1)).await), [(2, 1, NotifyReason::New)]);
    let counts = states(&store).await;
    assert_eq!(counts, [(OutboxState::Dead, 1), (OutboxState::Sending, 1)]);
    let listed = store.outbox(OutboxState::Dead, 10).await;
    assert!(
        matches!(listed, Err(StoreError::Corrupt { table: "outbox", .. })),
        "{listed:?}"
    );
}
