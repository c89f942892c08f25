//! Filters, counts, and rows that no version of keyvigil writes.

use keyvigil_model::finding::{ClearReason, Finding};
use keyvigil_model::id::{AccountId, CheckId, Fingerprint, PrincipalId};
use keyvigil_model::provider::Provider;
use keyvigil_model::severity::Severity;
use keyvigil_model::time::{Day, Timestamp};

use super::builder::Build;
use super::{TempDir, at, open, sql};
use crate::commit::{Cleared, Commit, FindingRow, LedgerEntry};
use crate::view::{FindingFilter, FindingStatus, JudgementFilter, LedgerFilter, QuarantineFilter};
use crate::{Store, StoreError};

fn finding(number: u8) -> Finding {
    Finding {
        fingerprint: Fingerprint([number; 16]),
        check: CheckId::from(if number < 3 { "key.disabled" } else { "key.purged" }),
        severity: Severity::ALL[usize::from(number)],
        provider: if number == 0 { Provider::Gcp } else { Provider::Aws },
        account: AccountId::new(format!("{number}")),
        time: at(i64::from(number)),
        ..Build::new(100 + u64::from(number)).finding()
    }
}

async fn store_with_findings(dir: &TempDir) -> Store {
    let store = open(&dir.state()).await;
    let findings = (0..5)
        .map(|number| FindingRow {
            finding: finding(number),
            suppressed_by: None,
        })
        .collect();
    store
        .commit(Commit {
            findings,
            ..Commit::at(at(0))
        })
        .await
        .unwrap();
    store
}

#[tokio::test]
async fn filters_narrow_the_list() {
    let dir = TempDir::new("filters");
    let store = store_with_findings(&dir).await;
    let none = FindingFilter::default;
    let cases: Vec<(FindingFilter, &[u8])> = vec![
        (none(), &[4, 3, 2, 1, 0]),
        (
            FindingFilter {
                limit: Some(2),
                ..none()
            },
            &[4, 3],
        ),
        (
            FindingFilter {
                check: Some(CheckId::from("key.purged")),
                ..none()
            },
            &[4, 3],
        ),
        (
            FindingFilter {
                min_severity: Some(Severity::High),
                ..none()
            },
            &[4, 3],
        ),
        (
            FindingFilter {
                min_severity: Some(Severity::Info),
                ..none()
            },
            &[4, 3, 2, 1, 0],
        ),
        (
            FindingFilter {
                provider: Some(Provider::Gcp),
                ..none()
            },
            &[0],
        ),
        (
            FindingFilter {
                account: Some(AccountId::from("2")),
                ..none()
            },
            &[2],
        ),
        (
            FindingFilter {
                since: Some(at(1)),
                until: Some(at(3)),
                ..none()
            },
            &[2, 1],
        ),
        (
            FindingFilter {
                fingerprint: Some(Fingerprint([1; 16])),
                ..none()
            },
            &[1],
        ),
        (
            FindingFilter {
                status: Some(FindingStatus::Resolved),
                ..none()
            },
            &[],
        ),
    ];
    for (filter, wanted) in cases {
        let views = store.findings(&filter).await.unwrap();
        let read: Vec<u8> = views.iter().map(|view| view.finding.fingerprint.0[0]).collect();
        assert_eq!(read, wanted, "{filter:?}");
    }
}

#[tokio::test]
async fn an_end_is_recorded_and_undone_by_the_next_occurrence() {
    let dir = TempDir::new("ends");
    let store = store_with_findings(&dir).await;
    let cases = [
        (ClearReason::Repaired, FindingStatus::Resolved, "repaired", None),
        (
            ClearReason::ResourceGone,
            FindingStatus::Resolved,
            "resource_gone",
            None,
        ),
        (
            ClearReason::RevertedBy(PrincipalId::from("bob")),
            FindingStatus::Reverted,
            "reverted",
            Some("bob"),
        ),
        (
            ClearReason::SourceReturned,
            FindingStatus::Resolved,
            "source_returned",
            None,
        ),
        (ClearReason::Excepted, FindingStatus::Excepted, "excepted", None),
    ];
    for (number, (reason, status, word, by)) in (0..).zip(cases) {
        let row = FindingRow {
            finding: finding(number),
            suppressed_by: None,
        };
        let filter = FindingFilter {
            fingerprint: Some(row.finding.fingerprint),
            ..FindingFilter::default()
        };
        store
            .commit(Commit {
                cleared: vec![Cleared {
                    fingerprint: row.finding.fingerprint,
                    at: at(50),
                    reason,
                }],
                ..Commit::at(at(60))
            })
            .await
            .unwrap();
        let view = store.findings(&filter).await.unwrap().remove(0);
        let cleared = view.cleared.unwrap();
        assert_eq!(
            (view.status, cleared.reason.as_str(), cleared.by.as_deref()),
            (status, word, by)
        );
        assert_eq!(cleared.at, at(50));

        store
            .commit(Commit {
                findings: vec![row],
                ..Commit::at(at(70))
            })
            .await
            .unwrap();
        let view = store.findings(&filter).await.unwrap().remove(0);
        assert_eq!((view.status, view.cleared), (FindingStatus::Open, None));
    }
}

#[tokio::test]
async fn counts_are_what_the_tables_hold() {
    let dir = TempDir::new("counts");
    let store = store_with_findings(&dir).await;
    store.begin_attempt("x", at(0)).await.unwrap();
    store
        .commit(Commit {
            alerts: (0..40).map(|seed| Build::new(seed).alert()).collect(),
            outbox: (0..7).map(|seed| Build::new(seed).notification()).collect(),
            ..Commit::at(at(0))
        })
        .await
        .unwrap();
    let counts = store.counts().await.unwrap();
    assert_eq!(counts.findings.len(), 5);
    assert!(
        counts
            .findings
            .iter()
            .all(|(_, _, status, rows)| (*status, *rows) == (FindingStatus::Open, 1))
    );
    let open_ones: u64 = counts.open_alerts.iter().map(|(_, rows)| rows).sum();
    assert_eq!(open_ones, store.open_alerts().await.unwrap().len() as u64);
    assert!(open_ones > 0);
    assert_eq!(counts.outbox.iter().map(|count| count.rows).sum::<u64>(), 7);
    assert_eq!(counts.attempts, 1);
}

/// Runs one broken row through the method that reads its table.
async fn read_broken(table: &'static str, breaking: &'static str) -> Result<(), StoreError> {
    let dir = TempDir::new("broken");
    let store = store_with_findings(&dir).await;
    store
        .commit(Commit {
            ledger: vec![LedgerEntry {
                day: Day(1),
                provider: Provider::Aws,
                account: AccountId::from("1"),
                key: "k".to_owned(),
                principal: "p".to_owned(),
                operation: keyvigil_model::action::Action::KeySign,
                outcome: keyvigil_model::event::Outcome::Failed,
                count: 1,
                first: Timestamp::EPOCH,
                last: Timestamp::EPOCH,
            }],
            ..Commit::at(at(0))
        })
        .await?;
    sql(&store, breaking).await;
    match table {
        "findings" => store.findings(&FindingFilter::default()).await.map(drop),
        "access_ledger" => store.ledger(&LedgerFilter::days(Day(0), Day(9))).await.map(drop),
        "judgements" => store.judgements(&JudgementFilter::default()).await.map(drop),
        "quarantine" => store.quarantine(&QuarantineFilter::default()).await.map(drop),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_value_that_nobody_writes_is_an_error_that_names_it() {
    let cases = [
        (
            "findings",
            "UPDATE findings SET status = 'weird' WHERE fingerprint = x'02020202020202020202020202020202'",
        ),
        ("findings", "UPDATE findings SET body = '{}'"),
        (
            "findings",
            "UPDATE findings SET body = json_set(body, '$.severity', 'weird')",
        ),
        (
            "findings",
            "UPDATE findings SET body = json_set(body, '$.fingerprint', 'xyz')",
        ),
        (
            "findings",
            "UPDATE findings SET suppressed_by = 'weird', suppressed_until = 1",
        ),
        ("findings", "UPDATE findings SET count = -1"),
        ("access_ledger", "UPDATE access_ledger SET operation = 'weird'"),
        ("access_ledger", "UPDATE access_ledger SET outcome = ''"),
        (
            "judgements",
            "INSERT INTO judgements VALUES ('c', 'key', 'r', '', '', 'weird', NULL, NULL, '', 0, 0)",
        ),
        (
            "judgements",
            "INSERT INTO judgements VALUES ('c', 'key', 'r', '', '', 'unknown', 'weird', NULL, '', 0, 0)",
        ),
        (
            "judgements",
            "INSERT INTO judgements VALUES ('c', 'key', 'r', '', '', 'excepted', 'x', NULL, '', 0, 0)",
        ),
        (
            "quarantine",
            "INSERT INTO quarantine VALUES (1, 's', 'o', 'weird', '', NULL, x'00', 1, 0, 0)",
        ),
    ];
    for (table, breaking) in cases {
        let read = read_broken(table, breaking).await;
        let Err(StoreError::Corrupt {
            table: named,
            row,
            problem,
        }) = &read
        else {
            panic!("{breaking}: {read:?}");
        };
        assert_eq!(*named, table, "{breaking}");
        assert!(!row.is_empty() && !problem.is_empty(), "{breaking}");
    }
}
