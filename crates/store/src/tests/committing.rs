//! One transaction a step: together or not at all, and what adds up adds up.

use std::collections::HashSet;

use keyvigil_model::action::Action;
use keyvigil_model::batch::{CheckpointUpdate, Coverage, ObjectRecord, QuarantineReason, Quarantined};
use keyvigil_model::event::Outcome;
use keyvigil_model::id::{AccountId, CheckId, DedupeKey, Region, ResourceId, SourceId};
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::{ResourceKind, ResourceRef};
use keyvigil_model::verdict::{Judgement, Verdict};

use super::builder::{Build, bytes};
use super::{TempDir, at, open, rows, sql};
use crate::commit::{AuditRow, Commit, FindingRow, LedgerEntry, StateRow, StateWrite};
use crate::{Store, StoreError};

/// Every table that a commit writes.
const TABLES: [&str; 13] = [
    "seen_days",
    "seen_events",
    "access_ledger",
    "coverage",
    "quarantine",
    "checkpoints",
    "objects",
    "detector_state",
    "judgements",
    "findings",
    "alerts",
    "outbox",
    "self_audit",
];

fn key(number: u64) -> DedupeKey {
    DedupeKey::of(&[&number.to_le_bytes()])
}

pub(super) fn source() -> SourceId {
    SourceId::from("aws/prod/cloudtrail-s3")
}

pub(super) fn ledger_entry(principal: &str, count: u64, seconds: i64) -> LedgerEntry {
    LedgerEntry {
        day: at(0).day(),
        provider: Provider::Aws,
        account: AccountId::from("123456789012"),
        key: "arn:aws:kms:eu-west-1:123456789012:key/1".to_owned(),
        principal: principal.to_owned(),
        operation: Action::KeyDecrypt,
        outcome: Outcome::Success,
        count,
        first: at(seconds),
        last: at(seconds),
    }
}

pub(super) fn judgement(verdict: Verdict, seconds: i64) -> Judgement {
    Judgement {
        control: CheckId::from("aws.kms.rotation_enabled"),
        resource: ResourceRef {
            id: ResourceId::from("arn:aws:kms:eu-west-1:123456789012:key/1"),
            kind: ResourceKind::Key,
            account: Some(AccountId::from("123456789012")),
            region: None,
        },
        verdict,
        observed: "rotation \0 is off".to_owned(),
        at: at(seconds),
    }
}

pub(super) fn quarantined(origin: &str, reason: QuarantineReason) -> Quarantined {
    Quarantined {
        origin: origin.into(),
        reason,
        detail: "trailing comma".into(),
        bytes: bytes("{\"a\":1,}"),
    }
}

/// A commit that writes to every table.
fn full_commit() -> Commit {
    Commit {
        seen: vec![key(1), key(2)],
        ledger: vec![ledger_entry("alice", 1, 0)],
        coverage: vec![(source(), coverage(10, Some(5)))],
        quarantined: vec![(source(), quarantined("a.json:3", QuarantineReason::NotJson))],
        checkpoints: vec![CheckpointUpdate {
            scope: "aws/1/eu/x".into(),
            value: "17".into(),
        }],
        objects: vec![(source(), object("v1"))],
        state: vec![StateWrite {
            space: "baseline".to_owned(),
            key: "k".to_owned(),
            value: Some(vec![0, 255]),
        }],
        judgements: vec![judgement(Verdict::Fail, 0)],
        findings: vec![FindingRow {
            finding: Build::new(1).finding(),
            suppressed_by: None,
        }],
        alerts: vec![Build::new(2).alert()],
        outbox: vec![Build::new(3).notification()],
        self_audit: vec![AuditRow {
            time: at(0),
            actor: "keyvigil".to_owned(),
            action: "start".to_owned(),
            data: "{}".to_owned(),
        }],
        ..Commit::at(at(0))
    }
}

pub(super) fn coverage(records: u64, newest: Option<i64>) -> Coverage {
    Coverage {
        account: AccountId::from("123456789012"),
        region: Region::from("eu-west-1"),
        records,
        key_records: records / 2,
        newest: newest.map(at),
    }
}

fn object(version: &str) -> ObjectRecord {
    ObjectRecord {
        bucket: "logs".into(),
        key: "AWSLogs/1/x.json.gz".into(),
        version: version.into(),
        records: 3,
        bytes: 4_096,
        sha256: [9; 32],
    }
}

#[tokio::test]
async fn a_commit_that_fails_leaves_nothing() {
    let dir = TempDir::new("atomic");
    let store = open(&dir.state()).await;
    // The last table that a commit writes refuses.
    sql(
        &store,
        "CREATE TRIGGER refuse BEFORE INSERT ON self_audit BEGIN SELECT RAISE(ABORT, 'refused'); END",
    )
    .await;
    let refused = store.commit(full_commit()).await;
    assert!(matches!(refused, Err(StoreError::Database(_))), "{refused:?}");
    for table in TABLES {
        assert_eq!(rows(&store, table).await, 0, "{table}");
    }
    sql(&store, "DROP TRIGGER refuse").await;
    store.commit(full_commit()).await.unwrap();
    for table in TABLES {
        assert!(rows(&store, table).await > 0, "{table}");
    }
}

#[tokio::test]
async fn a_commit_that_is_given_up_half_way_leaves_nothing() {
    let dir = TempDir::new("cancelled");
    let store = open(&dir.state()).await;
    let mut whole = false;
    // Polled once more each time, so that it is dropped at every place where it waits.
    for polls in 0..200 {
        let mut commit = Box::pin(store.commit(full_commit()));
        let mut waiting = true;
        for _ in 0..polls {
            let polled = std::future::poll_fn(|context| {
                std::task::Poll::Ready(commit.as_mut().poll(context).is_ready())
            })
            .await;
            if polled {
                waiting = false;
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(commit);
        let counts = [
            rows(&store, "checkpoints").await,
            rows(&store, "self_audit").await.min(1),
        ];
        assert!(
            counts == [0, 0] || counts == [1, 1],
            "{counts:?} after {polls} polls"
        );
        if !waiting {
            whole = true;
            break;
        }
    }
    if !whole {
        store.commit(full_commit()).await.unwrap();
    }
    assert_eq!(rows(&store, "checkpoints").await, 1);
}

#[tokio::test]
async fn the_same_commit_twice_changes_only_counts() {
    let dir = TempDir::new("twice");
    let store = open(&dir.state()).await;
    for _ in 0..2 {
        store.commit(full_commit()).await.unwrap();
    }
    for table in TABLES {
        let wanted = match table {
            "seen_events" | "self_audit" => 2,
            _ => 1,
        };
        assert_eq!(rows(&store, table).await, wanted, "{table}");
    }
}

#[tokio::test]
async fn what_was_seen_stays_seen_and_the_rest_is_new() {
    let dir = TempDir::new("seen");
    let store = open(&dir.state()).await;
    let all: Vec<DedupeKey> = (0..2_500).map(key).collect();
    let (early, late) = all.split_at(1_300);
    store
        .commit(Commit {
            seen: early.to_vec(),
            ..Commit::at(at(0))
        })
        .await
        .unwrap();
    store
        .commit(Commit {
            seen: late[..100].to_vec(),
            ..Commit::at(at(3 * 86_400))
        })
        .await
        .unwrap();
    let wanted: HashSet<DedupeKey> = late[100..].iter().copied().collect();
    assert_eq!(store.unseen(&all).await.unwrap(), wanted);
    assert_eq!(store.unseen(&[]).await.unwrap(), HashSet::new());
    store.close().await.unwrap();
    assert_eq!(open(&dir.state()).await.unseen(&all).await.unwrap(), wanted);
}

#[tokio::test]
async fn positions_objects_state_and_attempts_are_kept() {
    let dir = TempDir::new("sources");
    let store = open(&dir.state()).await;
    store.commit(full_commit()).await.unwrap();
    assert_eq!(
        store.checkpoint("aws/1/eu/x").await.unwrap().as_deref(),
        Some("17")
    );
    assert_eq!(store.checkpoint("aws/1/eu").await.unwrap(), None);
    let known = async |store: &Store, version: &str| {
        store
            .object_known(&source(), "logs", "AWSLogs/1/x.json.gz", version)
            .await
            .unwrap()
    };
    assert!(known(&store, "v1").await);
    assert!(!known(&store, "v2").await);
    let state = StateRow {
        space: "baseline".to_owned(),
        key: "k".to_owned(),
        value: vec![0, 255],
    };
    assert_eq!(store.load_state().await.unwrap(), [state]);

    for wanted in 1..=3 {
        assert_eq!(
            store.begin_attempt("s3://logs/x", at(wanted)).await.unwrap(),
            u32::try_from(wanted).unwrap()
        );
    }
    assert_eq!(store.begin_attempt("s3://logs/y", at(9)).await.unwrap(), 1);
    store.clear_attempt("s3://logs/y").await.unwrap();
    store
        .commit(Commit {
            attempts_cleared: vec!["s3://logs/x".into()],
            state: vec![StateWrite {
                space: "baseline".to_owned(),
                key: "k".to_owned(),
                value: None,
            }],
            ..Commit::at(at(9))
        })
        .await
        .unwrap();
    assert_eq!(rows(&store, "attempts").await, 0);
    assert_eq!(store.load_state().await.unwrap(), []);
}
