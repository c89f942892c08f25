//! What adds up, and what is kept once: ledger, coverage, quarantine, verdicts.

use keyvigil_model::batch::{QuarantineReason, Quarantined};
use keyvigil_model::time::Day;
use keyvigil_model::verdict::{UnknownReason, Verdict};

use super::committing::{coverage, judgement, ledger_entry, quarantined, source};
use super::{TempDir, at, open};
use crate::commit::{Commit, LedgerEntry};
use crate::view::{JudgementFilter, LedgerFilter, QuarantineFilter};

#[tokio::test]
async fn ledger_entries_add_up() {
    let dir = TempDir::new("ledger");
    let store = open(&dir.state()).await;
    let many: Vec<LedgerEntry> = (0..150)
        .map(|number| ledger_entry(&format!("p{number}"), 1, 5))
        .collect();
    for entries in [
        vec![ledger_entry("al\0ice", 1, 20), ledger_entry("al\0ice", 2, 10)],
        vec![ledger_entry("al\0ice", 4, 30)],
        many,
        vec![
            ledger_entry("huge", u64::MAX, 0),
            ledger_entry("huge", u64::MAX, 0),
        ],
        vec![ledger_entry("huge", u64::MAX, 0)],
    ] {
        store
            .commit(Commit {
                ledger: entries,
                ..Commit::at(at(0))
            })
            .await
            .unwrap();
    }
    let Day(today) = at(0).day();
    let alice = LedgerFilter {
        principal: Some("al\0ice".to_owned()),
        ..LedgerFilter::days(Day(today), Day(today))
    };
    let wanted = LedgerEntry {
        count: 7,
        first: at(10),
        last: at(30),
        ..ledger_entry("al\0ice", 0, 0)
    };
    assert_eq!(store.ledger(&alice).await.unwrap(), [wanted]);
    let all = store
        .ledger(&LedgerFilter::days(Day(today), Day(today)))
        .await
        .unwrap();
    assert_eq!(all.len(), 152);
    assert_eq!(
        all.iter().find(|one| one.principal == "huge").unwrap().count,
        u64::MAX >> 1
    );
    let yesterday = LedgerFilter::days(Day(today - 9), Day(today - 1));
    assert_eq!(store.ledger(&yesterday).await.unwrap(), []);
}

#[tokio::test]
async fn coverage_adds_up_by_day() {
    let dir = TempDir::new("coverage");
    let store = open(&dir.state()).await;
    for (records, newest, seconds) in [
        (4, None, 0),
        (6, Some(50), 1),
        (10, Some(20), 2),
        (8, None, 86_400),
    ] {
        store
            .commit(Commit {
                coverage: vec![(source(), coverage(records, newest))],
                ..Commit::at(at(seconds))
            })
            .await
            .unwrap();
    }
    let Day(today) = at(0).day();
    let views = store.coverage(Day(today), Day(today + 1)).await.unwrap();
    let read: Vec<_> = views
        .iter()
        .map(|view| (view.day.0 - today, view.records, view.key_records, view.newest))
        .collect();
    assert_eq!(read, [(0, 20, 10, Some(at(50))), (1, 8, 4, None)]);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_kept_once() {
    let dir = TempDir::new("quarantine");
    let store = open(&dir.state()).await;
    let large = Quarantined {
        bytes: vec![b'x'; Quarantined::MAX_KEPT + 1].into(),
        ..quarantined("b.json", QuarantineReason::TooLarge)
    };
    for (seconds, record) in [
        (0, quarantined("a.json:3", QuarantineReason::NotJson)),
        (5, quarantined("a.json:3", QuarantineReason::NotJson)),
        (6, quarantined("a.json:3", QuarantineReason::Poison)),
        (7, large),
    ] {
        store
            .commit(Commit {
                quarantined: vec![(source(), record)],
                ..Commit::at(at(seconds))
            })
            .await
            .unwrap();
    }
    let views = store.quarantine(&QuarantineFilter::default()).await.unwrap();
    let read: Vec<_> = views
        .iter()
        .map(|view| (view.reason, view.count, view.first_at, view.last_at))
        .collect();
    let wanted = [
        (QuarantineReason::TooLarge, 1, at(7), at(7)),
        (QuarantineReason::Poison, 1, at(6), at(6)),
        (QuarantineReason::NotJson, 2, at(0), at(5)),
    ];
    assert_eq!(read, wanted);
    assert_eq!(views[0].bytes.as_ref().unwrap().len(), Quarantined::MAX_KEPT);
}

#[tokio::test]
async fn a_verdict_knows_since_when_it_holds() {
    let dir = TempDir::new("judgements");
    let store = open(&dir.state()).await;
    let denied = Verdict::Unknown(UnknownReason::Denied);
    let cases = [
        (Verdict::Fail, 0, 0),
        (Verdict::Fail, 10, 0),
        (denied.clone(), 20, 20),
        (Verdict::Unknown(UnknownReason::Throttled), 30, 30),
        (denied, 40, 40),
        (Verdict::NotApplicable("an AWS-managed key".into()), 50, 50),
        (
            Verdict::Excepted {
                id: "EX-1".into(),
                expires: at(99),
            },
            60,
            60,
        ),
        (Verdict::Pass, 70, 70),
        (Verdict::Pass, 80, 70),
    ];
    for (verdict, seconds, since) in cases {
        let judged = judgement(verdict, seconds);
        store
            .commit(Commit {
                judgements: vec![judged.clone()],
                ..Commit::at(at(seconds))
            })
            .await
            .unwrap();
        let views = store.judgements(&JudgementFilter::default()).await.unwrap();
        assert_eq!(views.len(), 1);
        assert_eq!((&views[0].judgement, views[0].since), (&judged, at(since)));
    }
    let gone = judgement(Verdict::Pass, 0);
    store
        .commit(Commit {
            withdrawn: vec![(gone.control, gone.resource)],
            ..Commit::at(at(90))
        })
        .await
        .unwrap();
    assert_eq!(store.judgements(&JudgementFilter::default()).await.unwrap(), []);
}
