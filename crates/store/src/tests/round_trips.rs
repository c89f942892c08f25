//! What goes in comes out, whatever it holds.

use keyvigil_model::finding::Suppression;
use keyvigil_model::id::ReceiverId;
use keyvigil_model::time::Timestamp;

use super::builder::Build;
use super::{TempDir, at, open};
use crate::commit::{Commit, FindingRow};
use crate::rows::{finding, message};
use crate::view::{FindingFilter, FindingStatus};

#[test]
fn findings_and_messages_survive_json() {
    for seed in 0..300 {
        let found = Build::new(seed).finding();
        assert_eq!(
            finding::from_json(&finding::to_json(&found)).as_ref(),
            Ok(&found),
            "seed {seed}"
        );
        let told = Build::new(seed).notification().message;
        assert_eq!(
            message::from_json(&message::to_json(&told)).as_ref(),
            Ok(&told),
            "seed {seed}"
        );
    }
}

#[tokio::test]
async fn alerts_and_notifications_survive_a_restart() {
    let dir = TempDir::new("round-trip");
    let store = open(&dir.state()).await;
    let alerts: Vec<_> = (0..60).map(|seed| Build::new(seed).alert()).collect();
    let mut notifications: Vec<_> = (0..60).map(|seed| Build::new(seed).notification()).collect();
    store
        .commit(Commit {
            alerts: alerts.clone(),
            outbox: notifications.clone(),
            ..Commit::at(at(0))
        })
        .await
        .unwrap();
    store.close().await.unwrap();

    let store = open(&dir.state()).await;
    let read = store.latest_alerts().await.unwrap();
    assert_eq!(read.len(), alerts.len());
    for alert in &alerts {
        assert!(read.contains(alert), "{alert:?}");
    }
    let mut open_ones = alerts.clone();
    open_ones.retain(|alert| alert.state.is_open());
    assert_eq!(store.open_alerts().await.unwrap().len(), open_ones.len());

    let claimed = store
        .claim_outbox(&ReceiverId::from("slack"), at(1), 1_000)
        .await
        .unwrap();
    let mut read: Vec<_> = claimed.into_iter().map(|row| row.notification).collect();
    read.sort_by_key(|one| one.fingerprint);
    notifications.sort_by_key(|one| one.fingerprint);
    assert_eq!(read, notifications);
}

#[tokio::test]
async fn findings_come_back_with_what_became_of_them() {
    let dir = TempDir::new("findings");
    let store = open(&dir.state()).await;
    let suppressions = [
        None,
        Some(Suppression::Learning {
            until: Timestamp::from_secs(9),
        }),
        Some(Suppression::Exception {
            id: "EX-1 \0".into(),
            expires: Timestamp::from_secs(7),
        }),
    ];
    for (seed, suppressed_by) in suppressions.into_iter().enumerate() {
        let row = FindingRow {
            finding: Build::new(seed as u64).finding(),
            suppressed_by,
        };
        for seconds in [1, 2] {
            store
                .commit(Commit {
                    findings: vec![row.clone()],
                    ..Commit::at(at(seconds))
                })
                .await
                .unwrap();
        }
        let filter = FindingFilter {
            id: Some(row.finding.id.clone()),
            ..FindingFilter::default()
        };
        let views = store.findings(&filter).await.unwrap();
        let [view] = views.as_slice() else {
            panic!("{views:?}")
        };
        assert_eq!(view.finding, row.finding);
        assert_eq!(view.suppressed_by, row.suppressed_by);
        assert_eq!((view.count, view.first_at, view.last_at), (2, at(1), at(2)));
        let wanted = if row.suppressed_by.is_some() {
            FindingStatus::Suppressed
        } else {
            FindingStatus::Open
        };
        assert_eq!(view.status, wanted);
    }
}
