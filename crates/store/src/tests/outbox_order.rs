//! In which order notifications leave the outbox, and which never do.

use keyvigil_model::alert::{Notification, NotifyReason};
use keyvigil_model::finding::{Finding, FindingKind};
use keyvigil_model::id::ReceiverId;
use keyvigil_model::severity::Severity;

use super::builder::Build;
use super::outbox::{claim, claim_after, enqueue, error, notification, said, slack};
use super::{TempDir, at, open};
use crate::Store;
use crate::commit::{Commit, FindingRow, Settlement};

#[tokio::test]
async fn critical_goes_first_then_the_oldest() {
    let dir = TempDir::new("order");
    let store = open(&dir.state()).await;
    let severities = [
        Severity::High,
        Severity::Info,
        Severity::Critical,
        Severity::High,
        Severity::Critical,
    ];
    for (number, severity) in (1..).zip(severities) {
        let one = Notification {
            severity,
            ..notification((number, 1, NotifyReason::New))
        };
        enqueue(&store, vec![one], at(i64::from(number))).await;
    }
    let other = Notification {
        receiver: ReceiverId::from("pagerduty"),
        ..notification((9, 1, NotifyReason::New))
    };
    enqueue(&store, vec![other], at(9)).await;
    let mut order = Vec::new();
    for limit in [1, 2, 9] {
        let rows = store.claim_outbox(&slack(), at(10), limit).await.unwrap();
        order.extend(said(&rows).iter().map(|(alert, ..)| *alert));
    }
    assert_eq!(order, [3, 5, 1, 2, 4]);
}

/// What became of the first message before the second was queued.
#[derive(Clone, Copy, Debug)]
enum First {
    NeverTried,
    Refused,
    InDoubt,
    UnderWay,
    Sent,
    Dead,
}

/// Queues the beginning of an episode with the finding that it shows.
async fn queue_beginning(store: &Store, kind: FindingKind) {
    let beginning = notification((1, 1, NotifyReason::New));
    let finding = Finding {
        id: beginning.finding.clone(),
        fingerprint: beginning.fingerprint,
        kind,
        ..Build::new(1).finding()
    };
    let finding = FindingRow {
        finding,
        suppressed_by: None,
    };
    store
        .commit(Commit {
            findings: vec![finding],
            outbox: vec![beginning],
            ..Commit::at(at(0))
        })
        .await
        .unwrap();
}

/// Queues the beginning of an episode, lets it fare as `first` says, queues the end, and tells what can be claimed
/// then, again and again until nothing comes, when every attempt succeeds.
async fn fate(kind: FindingKind, first: First, end: NotifyReason) -> Vec<NotifyReason> {
    let dir = TempDir::new("fate");
    let store = open(&dir.state()).await;
    queue_beginning(&store, kind).await;
    let settlement = match first {
        First::NeverTried | First::UnderWay => None,
        First::Refused => Some(Settlement::Retry {
            at: at(50),
            error: error(),
        }),
        First::InDoubt => Some(Settlement::Unknown {
            at: at(50),
            error: error(),
        }),
        First::Sent => Some(Settlement::Sent),
        First::Dead => Some(Settlement::Dead { error: error() }),
    };
    if !matches!(first, First::NeverTried) {
        let id = claim(&store, at(1)).await[0].id;
        if let Some(settlement) = settlement {
            store.settle_outbox(id, settlement, at(1)).await.unwrap();
        }
    }
    enqueue(&store, vec![notification((1, 1, end))], at(2)).await;
    let mut told = Vec::new();
    for seconds in [10, 50, 51] {
        for row in claim(&store, at(seconds)).await {
            told.push(row.notification.reason);
            store
                .settle_outbox(row.id, Settlement::Sent, at(seconds))
                .await
                .unwrap();
        }
    }
    told
}

#[tokio::test]
async fn an_end_never_overtakes_its_beginning_and_never_stands_alone() {
    use FindingKind::{Event, State};
    use NotifyReason::{Excepted, New, Resolved, Reverted};
    let cases: [(FindingKind, First, NotifyReason, &[NotifyReason]); 16] = [
        (State, First::NeverTried, Resolved, &[]),
        (State, First::NeverTried, Excepted, &[]),
        (State, First::NeverTried, Reverted, &[New, Reverted]),
        (State, First::Refused, Resolved, &[]),
        (State, First::Refused, Reverted, &[New, Reverted]),
        (State, First::InDoubt, Resolved, &[New, Resolved]),
        (State, First::UnderWay, Resolved, &[]),
        (State, First::Sent, Resolved, &[Resolved]),
        (State, First::Dead, Resolved, &[]),
        (State, First::Dead, Reverted, &[]),
        // A deed was done, whatever became of it.
        (Event, First::NeverTried, Resolved, &[New, Resolved]),
        (Event, First::NeverTried, Excepted, &[New, Excepted]),
        (Event, First::Refused, Resolved, &[New, Resolved]),
        (Event, First::InDoubt, Resolved, &[New, Resolved]),
        (Event, First::Sent, Resolved, &[Resolved]),
        (Event, First::Dead, Resolved, &[]),
    ];
    for (kind, first, end, wanted) in cases {
        assert_eq!(
            fate(kind, first, end).await,
            wanted,
            "{kind:?}, {first:?}, {end:?}"
        );
    }
}

#[tokio::test]
async fn an_end_waits_for_the_attempt_that_is_under_way() {
    let dir = TempDir::new("under-way");
    let store = open(&dir.state()).await;
    enqueue(&store, vec![notification((1, 1, NotifyReason::New))], at(0)).await;
    let first = claim(&store, at(1)).await.remove(0);
    enqueue(&store, vec![notification((1, 1, NotifyReason::Resolved))], at(2)).await;
    assert!(claim(&store, at(3)).await.is_empty());
    store
        .settle_outbox(first.id, Settlement::Sent, at(4))
        .await
        .unwrap();
    assert_eq!(
        said(&claim(&store, at(5)).await),
        [(1, 1, NotifyReason::Resolved)]
    );
}

#[tokio::test]
async fn episodes_of_one_alert_keep_their_order() {
    use NotifyReason::{Changed, New, Resolved};
    let dir = TempDir::new("episodes");
    let store = open(&dir.state()).await;
    queue_beginning(&store, FindingKind::State).await;
    let first = claim(&store, at(0)).await;
    assert_eq!(said(&first), [(1, 1, New)]);
    let queued = [(1, 1, Changed), (1, 1, Resolved), (1, 2, New), (2, 1, New)];
    // The first attempt is under way: only the other alert may go.
    assert_eq!(said(&claim_after(&store, &queued).await), [(2, 1, New)]);
    store
        .settle_outbox(first[0].id, Settlement::Sent, at(1))
        .await
        .unwrap();
    // The change is overtaken by the end, the end comes before the next beginning.
    let second = claim(&store, at(2)).await;
    assert_eq!(said(&second), [(1, 1, Resolved)]);
    store
        .settle_outbox(second[0].id, Settlement::Sent, at(2))
        .await
        .unwrap();
    assert_eq!(said(&claim(&store, at(3)).await), [(1, 2, New)]);
}
