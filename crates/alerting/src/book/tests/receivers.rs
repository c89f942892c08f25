//! Who is told what: changed settings, floods, the fallback, the order.

use super::*;
use crate::settings::CheckGlob;

#[test]
fn new_settings_take_effect_at_the_next_tick() {
    let mut book = AlertBook::new(settings(), Vec::new());
    book.apply(
        at(0),
        &[raised("a", Severity::High, 0), raised("b", Severity::Low, 0)],
    );
    let mut wider = settings();
    wider.routes = vec![
        Route::all("mail".into(), Severity::Low),
        Route::all("slack".into(), Severity::Medium),
    ];
    book.replace_settings(wider);
    let mut messages = said(&book.tick(at(1)));
    messages.sort();
    assert_eq!(messages, ["mail trigger new 1", "mail trigger new 1"]);
    let mut narrower = settings();
    narrower.routes = vec![Route {
        checks: vec![CheckGlob::new("none")],
        ..Route::all("mail".into(), Severity::Low)
    }];
    book.replace_settings(narrower);
    let changes = book.apply(at(2), &[cleared("a", 2, ClearReason::Repaired)]);
    assert_eq!(
        said(&changes),
        ["mail resolve resolved 1"],
        "slack is gone, nothing goes there"
    );
}

#[test]
fn too_many_alerts_become_one_that_pages() {
    let mut book = AlertBook::new(
        AlertSettings {
            max_open: 2,
            ..settings()
        },
        Vec::new(),
    );
    let flood: Vec<FindingChange> = (0..1000)
        .map(|n| raised(&format!("{n}"), Severity::Low, n))
        .collect();
    let changes = book.apply(at(1000), &flood);
    assert_eq!(book.open_count(), 3);
    assert_eq!(said(&changes), ["slack trigger new 1"]);
    let headline = &changes.notifications[0].message.headline;
    assert!(headline.contains("More than 2 alerts are open"), "{headline}");
    assert_eq!(changes.alerts.iter().map(|alert| alert.count).sum::<u64>(), 1000);
    assert!(changes.alerts.iter().all(|alert| alert.finding.raw.is_empty()));
}

#[test]
fn the_fallback_hears_of_the_failure_and_of_the_end() {
    let mut book = AlertBook::new(
        AlertSettings {
            fallback: Some("mail".into()),
            ..settings()
        },
        Vec::new(),
    );
    let changes = book.apply(at(0), &[raised("a", Severity::High, 0)]);
    let failed = &changes.notifications[0];
    let instead = book.fall_back(at(9), failed).unwrap();
    assert_eq!(
        (instead.receiver.as_str(), instead.reason, instead.action),
        ("mail", NotifyReason::Fallback, NotifyAction::Trigger)
    );
    assert!(
        instead
            .message
            .lifecycle
            .contains(&(label::INSTEAD_OF, "slack".to_owned()))
    );
    assert_eq!(
        book.fall_back(at(10), &instead),
        None,
        "there is nobody behind the fallback"
    );
    let mut end = said(&book.apply(at(11), &[cleared("a", 11, ClearReason::Repaired)]));
    end.sort();
    assert_eq!(end, ["mail resolve resolved 1", "slack resolve resolved 1"]);
    let mut without = AlertBook::new(settings(), Vec::new());
    assert_eq!(without.fall_back(at(12), failed), None);
}

#[test]
fn the_worst_is_said_first_and_the_worst_is_shown() {
    use Severity::{Critical, High, Medium};
    let mut book = AlertBook::new(settings(), Vec::new());
    let findings: Vec<FindingChange> = [("a", Medium), ("b", Critical), ("c", High)]
        .map(|(about, severity)| raised(about, severity, 0))
        .into();
    let severities: Vec<Severity> = book
        .apply(at(0), &findings)
        .notifications
        .iter()
        .map(|one| one.severity)
        .collect();
    assert_eq!(severities, [Critical, Critical, High, Medium]);
    let times = [(High, 30), (High, 20), (Medium, 40), (High, 30)];
    let mut book = AlertBook::new(settings(), Vec::new());
    for (severity, seconds) in times {
        book.apply(at(seconds), &[raised("a", severity, seconds)]);
    }
    let shown = book.open_alerts().next().unwrap();
    assert_eq!(
        (shown.first, shown.last, shown.finding.time),
        (at(20), at(40), at(30))
    );
}
