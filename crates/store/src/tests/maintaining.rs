//! Pruning, checkpoints, sizes, alerts changed by hand, and the chain of the self-audit.

use std::time::Duration;

use keyvigil_model::alert::{Alert, AlertState, Notification, NotifyReason};
use keyvigil_model::batch::{ObjectRecord, QuarantineReason, Quarantined};
use keyvigil_model::id::{DedupeKey, Fingerprint, ReceiverId, SourceId};

use super::builder::{Build, bytes};
use super::{TempDir, at, open, rows, sql};
use crate::commit::{AuditRow, Commit, Settlement};
use crate::view::{AuditChain, Found, QuarantineFilter, Retention};
use crate::{Checkpointed, Store};

const DAY: i64 = 86_400;

fn audit(action: &str) -> AuditRow {
    AuditRow {
        time: at(0),
        actor: "alice".to_owned(),
        action: action.to_owned(),
        data: "{\"reason\":\"\0\"}".to_owned(),
    }
}

#[tokio::test]
async fn keys_expire_by_the_day_of_first_sight() {
    let dir = TempDir::new("expiry");
    let store = open(&dir.state()).await;
    let keys: Vec<DedupeKey> = (0..25_000u64)
        .map(|number| DedupeKey::of(&[&number.to_le_bytes()]))
        .collect();
    let (old, recent) = keys.split_at(20_500);
    for (seen, day) in [(old, 0), (recent, 1)] {
        store
            .commit(Commit {
                seen: seen.to_vec(),
                ..Commit::at(at(day * DAY))
            })
            .await
            .unwrap();
    }
    let retention = Retention::default();
    // 35 days after noon of the first day that day is still within the horizon.
    let pruned = store.prune(at(35 * DAY), &retention).await.unwrap();
    assert_eq!((pruned.seen_days, pruned.seen), (0, 0));
    let pruned = store.prune(at(36 * DAY), &retention).await.unwrap();
    assert_eq!((pruned.seen_days, pruned.seen), (1, 20_500));
    assert_eq!(store.unseen(&keys).await.unwrap().len(), 20_500);
    let pruned = store.prune(at(400 * DAY), &retention).await.unwrap();
    assert_eq!((pruned.seen_days, pruned.seen), (1, 4_500));
    assert_eq!(
        (rows(&store, "seen_days").await, rows(&store, "seen_events").await),
        (0, 0)
    );
}

#[tokio::test]
async fn what_is_old_goes_and_its_trace_stays() {
    let dir = TempDir::new("prune");
    let store = open(&dir.state()).await;
    let object = ObjectRecord {
        bucket: "b".into(),
        key: "k".into(),
        version: "v".into(),
        records: 1,
        bytes: 1,
        sha256: [1; 32],
    };
    let record = Quarantined {
        origin: "a:1".into(),
        reason: QuarantineReason::NotJson,
        detail: "".into(),
        bytes: bytes("x"),
    };
    store
        .commit(Commit {
            objects: vec![(SourceId::from("s"), object)],
            quarantined: vec![(SourceId::from("s"), record)],
            ..Commit::at(at(0))
        })
        .await
        .unwrap();
    store.begin_attempt("x", at(0)).await.unwrap();
    let pruned = store.prune(at(1_000 * DAY), &Retention::default()).await.unwrap();
    assert_eq!(
        (pruned.objects, pruned.quarantine_bodies, pruned.attempts),
        (1, 1, 1)
    );
    let left = store.quarantine(&QuarantineFilter::default()).await.unwrap();
    assert_eq!((left.len(), left[0].bytes.as_ref()), (1, None));
    assert_ne!(left[0].sha256, [0; 32]);
}

#[tokio::test]
async fn quarantined_bodies_are_bounded_the_oldest_go_first() {
    let dir = TempDir::new("quarantine-bytes");
    let store = open(&dir.state()).await;
    for number in 0..5 {
        let record = Quarantined {
            origin: format!("{number}").into(),
            reason: QuarantineReason::NotJson,
            detail: "".into(),
            bytes: bytes(&"x".repeat(100)),
        };
        store
            .commit(Commit {
                quarantined: vec![(SourceId::from("s"), record)],
                ..Commit::at(at(number))
            })
            .await
            .unwrap();
    }
    let retention = Retention {
        quarantine_bytes: 250,
        ..Retention::default()
    };
    assert_eq!(store.prune(at(9), &retention).await.unwrap().quarantine_bodies, 3);
    let views = store.quarantine(&QuarantineFilter::default()).await.unwrap();
    let kept: Vec<_> = views
        .iter()
        .map(|view| (view.origin.as_str(), view.bytes.is_some()))
        .collect();
    assert_eq!(
        kept,
        [("4", true), ("3", true), ("2", false), ("1", false), ("0", false)]
    );
}

#[tokio::test]
async fn only_delivered_messages_of_ended_alerts_are_pruned() {
    // State of the alert, what became of the message, whether it goes.
    let cases = [
        (AlertState::Resolved, Some(Settlement::Sent), 1),
        (AlertState::Open, Some(Settlement::Sent), 0),
        (AlertState::Acknowledged, Some(Settlement::Sent), 0),
        (AlertState::Resolved, None, 0),
        (
            AlertState::Resolved,
            Some(Settlement::Dead {
                error: "400".to_owned(),
            }),
            0,
        ),
    ];
    for (state, settlement, gone) in cases {
        let dir = TempDir::new("prune-outbox");
        let store = open(&dir.state()).await;
        let alert = Alert {
            state,
            episode: 1,
            ..Build::new(5).alert()
        };
        let notification = Notification {
            fingerprint: alert.fingerprint,
            episode: 1,
            reason: NotifyReason::New,
            ..Build::new(6).notification()
        };
        store
            .commit(Commit {
                alerts: vec![alert],
                outbox: vec![notification],
                ..Commit::at(at(0))
            })
            .await
            .unwrap();
        if let Some(settlement) = &settlement {
            let row = store
                .claim_outbox(&ReceiverId::from("slack"), at(0), 1)
                .await
                .unwrap()
                .remove(0);
            store
                .settle_outbox(row.id, settlement.clone(), at(1))
                .await
                .unwrap();
        }
        let early = store.prune(at(89 * DAY), &Retention::default()).await.unwrap();
        assert_eq!(early.outbox, 0);
        let pruned = store.prune(at(91 * DAY), &Retention::default()).await.unwrap();
        assert_eq!(pruned.outbox, gone, "{state:?} {settlement:?}");
    }
}

#[tokio::test]
async fn the_log_is_emptied_by_a_checkpoint() {
    let dir = TempDir::new("checkpoint");
    let store = open(&dir.state()).await;
    let seen = (0..5_000u64)
        .map(|number| DedupeKey::of(&[&number.to_le_bytes()]))
        .collect();
    store
        .commit(Commit {
            seen,
            ..Commit::at(at(0))
        })
        .await
        .unwrap();
    assert!(store.size().await.unwrap().wal > 0);
    assert_eq!(store.checkpoint_wal().await.unwrap(), Checkpointed::Whole);
    let size = store.size().await.unwrap();
    assert_eq!(size.wal, 0);
    assert!(size.database > 100_000, "{size:?}");
    // Freed pages are given back.
    let nothing_kept = Retention {
        seen: Duration::ZERO,
        ..Retention::default()
    };
    store.prune(at(DAY), &nothing_kept).await.unwrap();
    store.checkpoint_wal().await.unwrap();
    assert!(store.size().await.unwrap().database < size.database);
}

#[tokio::test]
async fn an_alert_changed_by_hand_is_written_down() {
    let dir = TempDir::new("by-hand");
    let store = open(&dir.state()).await;
    let alert = Alert {
        state: AlertState::Open,
        ..Build::new(5).alert()
    };
    store
        .commit(Commit {
            alerts: vec![alert.clone()],
            ..Commit::at(at(0))
        })
        .await
        .unwrap();
    let acknowledge = async |print: Fingerprint| {
        store
            .set_alert_state(
                print,
                alert.episode,
                AlertState::Acknowledged,
                audit("acknowledged"),
            )
            .await
            .unwrap()
    };
    assert_eq!(acknowledge(Fingerprint([0; 16])).await, Found::Missing);
    assert_eq!(rows(&store, "self_audit").await, 0);
    assert_eq!(acknowledge(alert.fingerprint).await, Found::Changed);
    assert_eq!(
        store.open_alerts().await.unwrap()[0].state,
        AlertState::Acknowledged
    );
    assert_eq!(
        store.self_audit_after(0).await.unwrap()[0].row,
        audit("acknowledged")
    );
}

async fn audited() -> (TempDir, Store) {
    let dir = TempDir::new("audit");
    let store = open(&dir.state()).await;
    for batch in 0..3 {
        store
            .commit(Commit {
                self_audit: (0..400)
                    .map(|number| audit(&format!("{batch}.{number}")))
                    .collect(),
                ..Commit::at(at(0))
            })
            .await
            .unwrap();
    }
    (dir, store)
}

#[tokio::test]
async fn the_self_audit_proves_itself() {
    let (_dir, store) = audited().await;
    let AuditChain::Intact { rows: 1_200, head } = store.verify_self_audit().await.unwrap() else {
        panic!("{:?}", store.verify_self_audit().await);
    };
    assert_eq!(store.self_audit_after(1_199).await.unwrap()[0].hash, head);
    let mut writer = store.writer().await.unwrap();
    for statement in [
        "UPDATE self_audit SET actor = 'x'",
        "DELETE FROM self_audit WHERE seq = 1200",
    ] {
        let refused = sqlx::query(statement).execute(writer.connection()).await;
        assert!(refused.is_err(), "{statement}");
    }
}

#[tokio::test]
async fn a_forged_self_audit_is_noticed() {
    let cases = [
        ("UPDATE self_audit SET actor = 'mallory' WHERE seq = 700", 700),
        (
            "UPDATE self_audit SET actor = actor || 'x', action = substr(action, 2) WHERE seq = 700",
            700,
        ),
        ("UPDATE self_audit SET time = time + 1 WHERE seq = 1200", 1_200),
        ("UPDATE self_audit SET hash = zeroblob(32) WHERE seq = 700", 700),
        (
            "UPDATE self_audit SET prev_hash = zeroblob(32) WHERE seq = 700",
            700,
        ),
        ("DELETE FROM self_audit WHERE seq = 700", 701),
        ("DELETE FROM self_audit WHERE seq = 1", 2),
        (
            "INSERT INTO self_audit VALUES (1201, 0, 'm', 'm', '', zeroblob(32), zeroblob(32))",
            1_201,
        ),
    ];
    for (statement, wanted) in cases {
        let (_dir, store) = audited().await;
        sql(&store, "DROP TRIGGER self_audit_no_update").await;
        sql(&store, "DROP TRIGGER self_audit_no_delete").await;
        sql(&store, statement).await;
        let found = store.verify_self_audit().await.unwrap();
        assert!(
            matches!(found, AuditChain::Broken { seq, .. } if seq == wanted),
            "{statement}: {found:?}"
        );
    }
}
