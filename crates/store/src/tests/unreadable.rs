//! Rows that cannot be read, among those that the daemon needs to start.

use keyvigil_model::alert::{Alert, AlertState, NotifyReason};
use keyvigil_model::finding::Finding;
use keyvigil_model::id::Fingerprint;
use keyvigil_model::severity::Severity;

use super::builder::Build;
use super::outbox::notification;
use super::{TempDir, at, open, sql};
use crate::commit::{Commit, FindingRow};

fn alert(number: u8) -> Alert {
    let fingerprint = Fingerprint([number; 16]);
    Alert {
        fingerprint,
        episode: 3,
        state: AlertState::Open,
        severity: Severity::High,
        count: 7,
        finding: Finding {
            fingerprint,
            severity: Severity::Low,
            ..Build::new(u64::from(number)).finding()
        },
        ..Build::new(u64::from(number)).alert()
    }
}

/// What is read of three alerts, of which only the last two have a row in `findings`, after `breaking`.
async fn read(breaking: &'static str) -> Vec<Alert> {
    let dir = TempDir::new("unreadable-alert");
    let store = open(&dir.state()).await;
    let alerts = vec![alert(1), alert(2), alert(3)];
    let findings = alerts[1..].iter().map(|alert| FindingRow {
        finding: alert.finding.clone(),
        suppressed_by: None,
    });
    store
        .commit(Commit {
            findings: findings.collect(),
            alerts: alerts.clone(),
            ..Commit::at(at(0))
        })
        .await
        .unwrap();
    sql(&store, breaking).await;
    let mut latest = store.latest_alerts().await.unwrap();
    latest.sort_by_key(|alert| alert.fingerprint);
    for open in store.open_alerts().await.unwrap() {
        assert!(latest.contains(&open), "{breaking}");
    }
    latest
}

#[tokio::test]
async fn an_alert_that_cannot_be_read_does_not_hide_its_neighbours() {
    let whole = [1, 2, 3].map(alert);
    for (breaking, wanted) in [
        ("UPDATE alerts SET count = 7", &whole[..]),
        (
            "UPDATE alerts SET episode = -4 WHERE fingerprint = x'01010101010101010101010101010101'",
            &whole[1..],
        ),
        // Nothing says what this alert is about.
        (
            "UPDATE alerts SET finding = 'null' WHERE fingerprint = x'01010101010101010101010101010101'",
            &whole[1..],
        ),
        // Here the findings do. The episode must be known: its number would be used again, and a message with a
        // number that was used is not sent.
        (
            "UPDATE alerts SET finding = 'null' WHERE fingerprint = x'02020202020202020202020202020202'",
            &whole[..],
        ),
        ("UPDATE alerts SET state = 'weird'", &whole[..]),
    ] {
        assert_eq!(read(breaking).await, wanted, "{breaking}");
    }
    let severity = "UPDATE alerts SET severity = 'weird', count = -1, finding = '' WHERE episode = 3";
    let rebuilt: Vec<_> = read(severity)
        .await
        .iter()
        .map(|alert| (alert.fingerprint.0[0], alert.episode, alert.severity, alert.count))
        .collect();
    assert_eq!(rebuilt, [(2, 3, Severity::Low, 1), (3, 3, Severity::Low, 1)]);
}

#[tokio::test]
async fn a_told_row_that_cannot_be_read_does_not_hide_its_neighbours() {
    let dir = TempDir::new("unreadable-told");
    let store = open(&dir.state()).await;
    store
        .commit(Commit {
            alerts: vec![alert(1), alert(2)],
            outbox: vec![
                notification((1, 3, NotifyReason::New)),
                notification((2, 3, NotifyReason::New)),
            ],
            ..Commit::at(at(0))
        })
        .await
        .unwrap();
    for breaking in [
        "UPDATE outbox SET episode = -1 WHERE id = 1",
        "UPDATE alerts SET episode = -1 WHERE fingerprint = x'01010101010101010101010101010101'",
    ] {
        sql(&store, breaking).await;
        let told = store.told().await.unwrap();
        let read: Vec<_> = told
            .iter()
            .map(|one| (one.fingerprint.0[0], one.episode))
            .collect();
        assert_eq!(read, [(2, 3)]);
    }
}
