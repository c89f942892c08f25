//! A second deed about the same subject is told, although the alert is open already.

use keyvigil_model::finding::Evidence;
use keyvigil_model::principal::Principal;

use super::*;

const CHANGED: &[&str] = &["slack trigger changed 1"];
const NOTHING: &[&str] = &[];

fn by(who: &str, seconds: i64) -> Finding {
    Finding {
        principal: Some(Principal::unknown(who)),
        ..finding("a", Severity::High, seconds)
    }
}

fn with(values: &[&str], seconds: i64) -> Finding {
    let mut evidence = Vec::new();
    for value in values {
        evidence.push(Evidence {
            label: "what",
            value: (*value).into(),
        });
    }
    Finding {
        evidence,
        ..by("alice", seconds)
    }
}

fn state(seconds: i64) -> Finding {
    Finding {
        kind: FindingKind::State,
        principal: None,
        ..finding("a", Severity::High, seconds)
    }
}

fn apply(book: &mut AlertBook, seconds: i64, finding: &Finding) -> Vec<String> {
    said(&book.apply(at(seconds), &[FindingChange::Raised(Box::new(finding.clone()))]))
}

#[test]
fn what_differs_is_told_and_what_repeats_is_not() {
    for (why, first, second, expected) in [
        ("an event after the state", state(0), by("alice", 9), CHANGED),
        (
            "its record arrived after the poll",
            state(5),
            by("alice", 0),
            CHANGED,
        ),
        ("another principal", by("alice", 0), by("bob", 9), CHANGED),
        (
            "another grant",
            with(&["to bob"], 0),
            with(&["to eve"], 9),
            CHANGED,
        ),
        ("one grant more", with(&["a"], 0), with(&["a", "b"], 9), CHANGED),
        ("the same", by("alice", 0), by("alice", 9), NOTHING),
        (
            "the same in another order",
            with(&["a", "b"], 0),
            with(&["b", "a"], 9),
            NOTHING,
        ),
        (
            "another time",
            with(&["2026-01-01T00:00:00Z"], 0),
            with(&["2026-01-01T00:05:00Z"], 9),
            NOTHING,
        ),
        ("another count", with(&["17"], 0), with(&["18"], 9), NOTHING),
        ("a state after the event", by("alice", 0), state(9), NOTHING),
        (
            "something milder",
            by("alice", 0),
            Finding {
                severity: Severity::Medium,
                ..by("bob", 9)
            },
            NOTHING,
        ),
    ] {
        let mut book = AlertBook::new(settings(), Vec::new());
        apply(&mut book, 0, &first);
        assert_eq!(apply(&mut book, 9, &second), expected, "{why}");
    }
}

#[test]
fn what_is_told_is_what_is_shown() {
    let mut book = AlertBook::new(settings(), Vec::new());
    apply(&mut book, 0, &state(5));
    apply(&mut book, 9, &by("mallory", 0));
    let shown = book.open_alerts().next().unwrap();
    assert_eq!(shown.finding.kind, FindingKind::Event);
    assert_eq!(shown.count, 2);
}

#[test]
fn at_most_once_an_hour_and_the_rest_when_the_hour_is_over() {
    let mut book = AlertBook::new(settings(), Vec::new());
    apply(&mut book, 0, &by("alice", 0));
    assert_eq!(apply(&mut book, 1, &by("bob", 1)), CHANGED);
    assert_eq!(apply(&mut book, 2, &by("carol", 2)), NOTHING);
    assert_eq!(said(&book.tick(at(HOUR))), NOTHING);
    assert_eq!(said(&book.tick(at(HOUR + 1))), CHANGED);
    assert_eq!(said(&book.tick(at(HOUR + 2))), NOTHING);
}

#[test]
fn what_was_acknowledged_is_not_what_it_is_now() {
    let mut known = AlertBook::new(settings(), Vec::new())
        .apply(at(0), &[FindingChange::Raised(Box::new(by("alice", 0)))])
        .alerts;
    known[0].state = AlertState::Acknowledged;
    let mut book = AlertBook::new(settings(), known);
    let changes = book.apply(at(9), &[FindingChange::Raised(Box::new(by("bob", 9)))]);
    assert_eq!(said(&changes), CHANGED);
    assert_eq!(stored(&changes), ["open high 2 1"]);
}
