//! Routing and settings, case by case.

use super::*;

fn ids(names: &[&str]) -> Vec<ReceiverId> {
    names.iter().map(|name| ReceiverId::from(*name)).collect()
}

fn route(receiver: &str, min_severity: Severity, checks: &[&str]) -> Route {
    Route {
        receiver: receiver.into(),
        min_severity,
        checks: checks.iter().map(|glob| CheckGlob::new(*glob)).collect(),
    }
}

#[test]
fn globs_cover_the_whole_id() {
    for (glob, check, matches) in [
        ("key.*", "key.disabled", true),
        ("key.*", "monkey.disabled", false),
        ("*", "anything", true),
        ("*.kms.*", "aws.kms.rotation_enabled", true),
        ("*.kms.*", "aws.s3.kms", false),
        ("key.disabled", "key.disabled", true),
        ("key.disabled", "key.disabled2", false),
        ("a*a", "a", false),
        ("a*a", "aa", true),
        ("*ab*ab", "abab", true),
        ("*ab*ab", "ab", false),
        ("", "key.disabled", false),
        ("**", "x", true),
    ] {
        assert_eq!(
            CheckGlob::new(glob).matches(&CheckId::from(check)),
            matches,
            "{glob} {check}"
        );
    }
}

#[test]
fn each_receiver_is_told_once_and_in_order() {
    let settings = AlertSettings {
        routes: vec![
            route("slack", Severity::Medium, &[]),
            route("pager", Severity::Critical, &[]),
            route("slack", Severity::Low, &["audit.*"]),
        ],
        ..AlertSettings::default()
    };
    for (check, severity, expected) in [
        ("key.disabled", Severity::Low, vec![]),
        ("key.disabled", Severity::Medium, vec!["slack"]),
        ("key.disabled", Severity::Critical, vec!["slack", "pager"]),
        ("audit.stopped", Severity::Low, vec!["slack"]),
        ("audit.stopped", Severity::Critical, vec!["slack", "pager"]),
    ] {
        assert_eq!(
            settings.receivers(&check.into(), severity),
            ids(&expected),
            "{check} {severity}"
        );
    }
}

#[test]
fn the_fallback_gets_what_no_route_names() {
    let settings = AlertSettings {
        routes: vec![route("slack", Severity::High, &["key.*"])],
        fallback: Some("mail".into()),
        ..AlertSettings::default()
    };
    assert_eq!(
        settings.receivers(&"key.disabled".into(), Severity::Low),
        ids(&[])
    );
    assert_eq!(
        settings.receivers(&"use.denied_burst".into(), Severity::Low),
        ids(&["mail"])
    );
}

#[test]
fn problems_name_the_key_and_what_is_accepted() {
    let check = |settings: AlertSettings, expected: &[&str]| {
        let said: Vec<String> = settings
            .problems(&ids(&["slack"]))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(said.len(), expected.len(), "{said:?}");
        for (said, part) in said.iter().zip(expected) {
            assert!(said.contains(part), "{said}");
        }
    };
    let fine = AlertSettings {
        routes: vec![route("slack", Severity::High, &[])],
        ..AlertSettings::default()
    };
    check(fine.clone(), &[]);
    check(AlertSettings::default(), &["no default route"]);
    let narrow = vec![route("slack", Severity::High, &["key.*"])];
    check(
        AlertSettings {
            routes: narrow.clone(),
            ..fine.clone()
        },
        &["no default route"],
    );
    check(
        AlertSettings {
            routes: narrow,
            fallback: Some("slack".into()),
            ..fine.clone()
        },
        &[],
    );
    check(
        AlertSettings {
            routes: vec![route("slakc", Severity::High, &[])],
            fallback: Some("mail".into()),
            ..fine.clone()
        },
        &[
            "routes[0].receiver: unknown receiver \"slakc\"; accepted: slack",
            "fallback: unknown receiver \"mail\"",
        ],
    );
    check(
        AlertSettings {
            routes: vec![
                route("slack", Severity::High, &["", "*"]),
                route("slack", Severity::Info, &[]),
            ],
            max_open: 0,
            ..fine
        },
        &["routes[0].checks", "max_open"],
    );
}
