//! The book, step by step: each case is a list of steps with what is said at each.

use keyvigil_model::finding::Suppression;
use keyvigil_model::id::PrincipalId;

use super::*;
use crate::samples::{at, finding};
use crate::settings::Route;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

fn settings() -> AlertSettings {
    AlertSettings {
        routes: vec![
            Route::all("slack".into(), Severity::Medium),
            Route::all("pager".into(), Severity::Critical),
        ],
        ..AlertSettings::default()
    }
}

fn raised(about: &str, severity: Severity, seconds: i64) -> FindingChange {
    FindingChange::Raised(Box::new(finding(about, severity, seconds)))
}

fn cleared(about: &str, seconds: i64, reason: ClearReason) -> FindingChange {
    FindingChange::Cleared {
        fingerprint: Fingerprint::of(&[about.as_bytes()]),
        at: at(seconds),
        reason,
    }
}

/// `receiver action reason episode`, in the order of the outbox.
fn said(changes: &Changes) -> Vec<String> {
    changes
        .notifications
        .iter()
        .map(|one| {
            format!(
                "{} {} {} {}",
                one.receiver,
                one.action.as_str(),
                one.reason.as_str(),
                one.episode
            )
        })
        .collect()
}

/// `state severity count episode` of every alert that changed.
fn stored(changes: &Changes) -> Vec<String> {
    changes
        .alerts
        .iter()
        .map(|one| {
            format!(
                "{} {} {} {}",
                one.state.as_str(),
                one.severity,
                one.count,
                one.episode
            )
        })
        .collect()
}

enum Do {
    Apply(Vec<FindingChange>),
    Tick,
}

fn check(name: &str, steps: Vec<(i64, Do, &[&str], &[&str])>) {
    let mut book = AlertBook::new(settings(), Vec::new());
    for (index, (seconds, what, messages, alerts)) in steps.into_iter().enumerate() {
        let changes = match what {
            Do::Apply(findings) => book.apply(at(seconds), &findings),
            Do::Tick => book.tick(at(seconds)),
        };
        assert_eq!(said(&changes), messages, "{name}, messages of step {index}");
        assert_eq!(stored(&changes), alerts, "{name}, alerts of step {index}");
    }
}

#[test]
fn findings_open_fold_and_rise() {
    use Severity::{Critical, High, Low, Medium};
    check(
        "folding tells nobody",
        vec![
            (
                0,
                Do::Apply(vec![raised("a", High, 0)]),
                &["slack trigger new 1"],
                &["open high 1 1"],
            ),
            (9, Do::Apply(vec![raised("a", High, 9)]), &[], &["open high 2 1"]),
            (10, Do::Apply(vec![raised("a", Low, 10)]), &[], &["open high 3 1"]),
        ],
    );
    check(
        "a rise tells those who know that it changed, and the others the news",
        vec![
            (0, Do::Apply(vec![raised("a", Low, 0)]), &[], &["open low 1 1"]),
            (
                1,
                Do::Apply(vec![raised("a", Medium, 1)]),
                &["slack trigger new 1"],
                &["open medium 2 1"],
            ),
            (
                2,
                Do::Apply(vec![raised("a", Critical, 2)]),
                &["slack trigger changed 1", "pager trigger new 1"],
                &["open critical 3 1"],
            ),
            (
                3,
                Do::Apply(vec![raised("a", Critical, 3)]),
                &[],
                &["open critical 4 1"],
            ),
        ],
    );
    check(
        "one step, one message",
        vec![(
            0,
            Do::Apply(vec![
                raised("a", High, 0),
                raised("a", Critical, 0),
                raised("a", High, 0),
            ]),
            &["slack trigger new 1", "pager trigger new 1"],
            &["open critical 3 1"],
        )],
    );
    check(
        "suppressed findings make no alert",
        vec![(
            0,
            Do::Apply(vec![FindingChange::Suppressed {
                finding: Box::new(finding("a", Critical, 0)),
                by: Suppression::Learning { until: at(99) },
            }]),
            &[],
            &[],
        )],
    );
}

#[test]
fn the_end_is_told_to_those_who_were_told() {
    use Severity::{Critical, High, Low};
    for (reason, state, word) in [
        (ClearReason::Repaired, "resolved", "resolved"),
        (ClearReason::ResourceGone, "resolved", "resolved"),
        (ClearReason::SourceReturned, "resolved", "resolved"),
        (
            ClearReason::RevertedBy(PrincipalId::from("bob")),
            "reverted",
            "reverted",
        ),
        (ClearReason::Excepted, "excepted", "excepted"),
    ] {
        check(
            state,
            vec![
                (
                    0,
                    Do::Apply(vec![raised("a", High, 0)]),
                    &["slack trigger new 1"],
                    &["open high 1 1"],
                ),
                (
                    5,
                    Do::Apply(vec![cleared("a", 5, reason.clone())]),
                    &[&format!("slack resolve {word} 1")],
                    &[&format!("{state} high 1 1")],
                ),
                (6, Do::Apply(vec![cleared("a", 6, reason)]), &[], &[]),
            ],
        );
    }
    check(
        "nobody knew, nobody is told",
        vec![
            (0, Do::Apply(vec![raised("a", Low, 0)]), &[], &["open low 1 1"]),
            (
                1,
                Do::Apply(vec![cleared("a", 1, ClearReason::Repaired)]),
                &[],
                &["resolved low 1 1"],
            ),
            (
                2,
                Do::Apply(vec![cleared("b", 2, ClearReason::Repaired)]),
                &[],
                &[],
            ),
        ],
    );
    check(
        "opened and ended in one step",
        vec![(
            0,
            Do::Apply(vec![
                raised("a", Critical, 0),
                cleared("a", 0, ClearReason::Repaired),
            ]),
            &[
                "slack trigger new 1",
                "pager trigger new 1",
                "slack resolve resolved 1",
                "pager resolve resolved 1",
            ],
            &["resolved critical 1 1"],
        )],
    );
}

#[test]
fn reopening_is_a_new_episode() {
    use Severity::High;
    check(
        "reopening",
        vec![
            (
                0,
                Do::Apply(vec![raised("a", High, 0)]),
                &["slack trigger new 1"],
                &["open high 1 1"],
            ),
            (
                1,
                Do::Apply(vec![cleared("a", 1, ClearReason::Repaired), raised("a", High, 2)]),
                &["slack resolve resolved 1", "slack trigger new 2"],
                &["resolved high 1 1", "open high 1 2"],
            ),
            (
                3,
                Do::Apply(vec![cleared("a", 3, ClearReason::Repaired)]),
                &["slack resolve resolved 2"],
                &["resolved high 1 2"],
            ),
            (
                4,
                Do::Apply(vec![raised("a", High, 4)]),
                &["slack trigger new 3"],
                &["open high 1 3"],
            ),
        ],
    );
}

#[test]
fn a_quick_return_is_called_by_its_name() {
    for (pause, expected) in [(90, Some("1 min 30 s")), (599, Some("9 min 59 s")), (600, None)] {
        let mut book = AlertBook::new(settings(), Vec::new());
        book.apply(at(0), &[raised("a", Severity::High, 0)]);
        book.apply(at(1), &[cleared("a", 1, ClearReason::Repaired)]);
        let changes = book.apply(at(1 + pause), &[raised("a", Severity::High, 1 + pause)]);
        let cycle = &changes.notifications[0].message.lifecycle;
        let found = cycle.iter().find(|(name, _)| *name == label::REOPENED);
        assert_eq!(found.map(|(_, value)| value.as_str()), expected, "{pause}");
    }
}

#[test]
fn open_alerts_are_repeated_until_somebody_is_at_it() {
    use Severity::{Critical, High};
    check(
        "critical every four hours, by the clock or by the next finding",
        vec![
            (
                0,
                Do::Apply(vec![raised("a", Critical, 0)]),
                &["slack trigger new 1", "pager trigger new 1"],
                &["open critical 1 1"],
            ),
            (4 * HOUR - 1, Do::Tick, &[], &[]),
            (
                4 * HOUR,
                Do::Tick,
                &["slack trigger repeat 1", "pager trigger repeat 1"],
                &["open critical 1 1"],
            ),
            (4 * HOUR + 1, Do::Tick, &[], &[]),
            (
                8 * HOUR,
                Do::Apply(vec![raised("a", High, 8 * HOUR)]),
                &["slack trigger repeat 1", "pager trigger repeat 1"],
                &["open critical 2 1"],
            ),
            (8 * HOUR + 1, Do::Tick, &[], &[]),
        ],
    );
    let mut acknowledged = AlertBook::new(settings(), Vec::new())
        .apply(at(0), &[raised("a", High, 0)])
        .alerts;
    acknowledged[0].state = AlertState::Acknowledged;
    let mut book = AlertBook::new(settings(), acknowledged);
    assert_eq!(book.tick(at(30 * DAY)), Changes::default());
    let risen = book.apply(at(30 * DAY), &[raised("a", Critical, 1)]);
    assert_eq!(said(&risen), ["slack trigger changed 1", "pager trigger new 1"]);
    assert_eq!(stored(&risen), ["open critical 2 1"]);
}

#[test]
fn quiet_events_end_unless_they_are_severe() {
    use Severity::{Critical, High, Low, Medium};
    for (severity, expires) in [(Low, true), (Medium, true), (High, false), (Critical, false)] {
        let mut book = AlertBook::new(settings(), Vec::new());
        book.apply(at(0), &[raised("a", severity, 0)]);
        book.tick(at(30 * DAY - 1));
        assert_eq!(book.open_count(), 1, "{severity}");
        let changes = book.tick(at(30 * DAY));
        let ended = changes
            .alerts
            .iter()
            .any(|alert| alert.state == AlertState::Resolved);
        assert_eq!(ended, expires, "{severity}");
        assert_eq!(book.open_count(), usize::from(!expires), "{severity}");
    }
    let mut book = AlertBook::new(settings(), Vec::new());
    let state = Finding {
        kind: FindingKind::State,
        ..finding("a", Low, 0)
    };
    book.apply(at(0), &[FindingChange::Raised(Box::new(state))]);
    book.tick(at(3000 * DAY));
    assert_eq!(book.open_count(), 1, "a state stays until it is repaired");
}

/// The same steps with and without a restart between any two of them say the same.
#[test]
fn a_restart_changes_nothing() {
    use Severity::{Critical, High};
    let steps: Vec<(i64, Do)> = vec![
        (0, Do::Apply(vec![raised("a", High, 0), raised("b", Critical, 0)])),
        (10, Do::Apply(vec![raised("a", High, 10)])),
        (5 * HOUR, Do::Tick),
        (
            6 * HOUR,
            Do::Apply(vec![cleared("a", 6 * HOUR, ClearReason::Repaired)]),
        ),
        (9 * HOUR, Do::Apply(vec![raised("a", Critical, 9 * HOUR)])),
        (
            10 * HOUR,
            Do::Apply(vec![cleared("b", 10 * HOUR, ClearReason::ResourceGone)]),
        ),
        (14 * HOUR, Do::Tick),
        (
            15 * HOUR,
            Do::Apply(vec![cleared("a", 15 * HOUR, ClearReason::Repaired)]),
        ),
    ];
    let mut steady = AlertBook::new(settings(), Vec::new());
    let mut restarted = AlertBook::new(settings(), Vec::new());
    let mut store: BTreeMap<Fingerprint, Alert> = BTreeMap::new();
    for (index, (seconds, what)) in steps.iter().enumerate() {
        let run = |book: &mut AlertBook| match what {
            Do::Apply(findings) => book.apply(at(*seconds), findings),
            Do::Tick => book.tick(at(*seconds)),
        };
        let expected = run(&mut steady);
        let found = run(&mut restarted);
        assert_eq!(found, expected, "step {index}");
        assert!(!expected.alerts.is_empty(), "step {index} does something");
        for alert in found.alerts {
            store.insert(alert.fingerprint, alert);
        }
        restarted = AlertBook::new(settings(), store.values().cloned().collect());
    }
    assert_eq!(restarted.open_count(), 0);
}

mod receivers;

mod different;
