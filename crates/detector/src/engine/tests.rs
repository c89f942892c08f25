//! The engine: restarts, exceptions, floods, requests to look again, context.

use std::time::Duration;

use super::*;
use crate::policy::exception::Exception;
use crate::rules::key_disabled;
use crate::testing::{Ev, World, check, check_rule, ev, learned, policy};
use keyvigil_model::facts::Facts;
use keyvigil_model::finding::Finding;

fn raised(world: &World) -> Vec<&Finding> {
    let changes = world.steps.iter().flat_map(|step| &step.findings);
    changes
        .filter_map(|change| match change {
            FindingChange::Raised(finding) => Some(&**finding),
            FindingChange::Cleared { .. } | FindingChange::Suppressed { .. } => None,
        })
        .collect()
}

fn exception(expires: &str) -> Exception {
    Exception {
        id: "EX-1".to_owned(),
        checks: vec!["key.*".to_owned()],
        accounts: Vec::new(),
        principals: vec!["*user/pipeline".to_owned()],
        keys: vec!["*key/k1".to_owned()],
        resources: Vec::new(),
        owner: "payments".to_owned(),
        approved_by: None,
        reason: "teardown".to_owned(),
        ticket: None,
        expires: expires.to_owned(),
    }
}

#[test]
fn an_exception_suppresses_what_it_selects_until_it_ends() {
    let disable = || ev(Action::KeyDisable).key("k1").by("pipeline");
    let with = |expires: &str| {
        let mut policy = policy();
        policy.exceptions = vec![exception(expires)];
        policy
    };
    let (suppressed, high) = ("EX-1 high key.disabled", "high key.disabled");
    check(with("2026-02-01"), &[disable()], &[suppressed]);
    check(with("2025-12-31"), &[disable()], &[high]);
    check(with("2026-02-01"), &[disable().day(31)], &[high]);
    check(with("2026-02-01"), &[disable().by("mallory")], &[high]);
    check(with("2026-02-01"), &[disable().key("k2")], &[high]);
    let three: Vec<Ev> = (0..3).map(|n| disable().minute(n)).collect();
    check(with("2026-02-01"), &three, &[suppressed; 3]);
}

#[test]
fn a_flood_of_chosen_names_becomes_one_finding() {
    let mut events = Vec::new();
    for n in 0..200 {
        events.push(
            ev(Action::SecretDestroy)
                .no_key()
                .resource(&format!("s{n}"))
                .facts(Facts::SecretDeletion { irreversible: true })
                .second(n),
        );
    }
    let mut world = World::new(policy());
    world.events(&events);
    let found = raised(&world);
    let prints: std::collections::BTreeSet<_> = found.iter().map(|finding| finding.fingerprint).collect();
    assert_eq!(prints.len(), 51);
    assert_eq!(found.len(), 51);
    assert!(
        found[50].title.starts_with("More than 50 findings"),
        "{}",
        found[50].title
    );
}

#[test]
fn the_same_subject_has_the_same_fingerprint_and_each_occurrence_its_id() {
    let mut world = World::new(policy());
    world.events(&[ev(Action::KeyDisable), ev(Action::KeyDisable).by("bob").minute(1)]);
    world.events(&[ev(Action::KeyDisable).key("other").minute(2)]);
    let found = raised(&world);
    assert_eq!(found[0].fingerprint, found[1].fingerprint);
    assert_ne!(found[0].fingerprint, found[2].fingerprint);
    assert_ne!(found[0].id, found[1].id);
    let mut again = World::new(policy());
    again.events(&[ev(Action::KeyDisable)]);
    assert_eq!(raised(&again)[0].id, found[0].id);
}

#[test]
fn a_finding_answers_who_what_when_and_from_where() {
    let mut world = World::new(policy());
    world.events(&[ev(Action::KeyEnable).source("10.0.0.1")]);
    world.events(&[
        ev(Action::KeyScheduleDestroy)
            .facts(Facts::Destruction { window_days: Some(7) })
            .minute(1),
        ev(Action::KeyScheduleDestroy).source("10.0.0.1").minute(2),
    ]);
    let found = raised(&world);
    assert_eq!(found[0].title, "A key was scheduled for destruction in 7 days");
    assert_eq!(
        found[0].context.deadline,
        Some(found[0].time.plus(Duration::from_secs(7 * 86_400)))
    );
    assert_eq!(found[0].context.source_seen_before, Some(false));
    assert_eq!(found[1].context.source_seen_before, Some(true));
    let normal = found[0].context.normal.as_deref().unwrap();
    assert!(normal.starts_with("No: first "), "{normal}");
    assert!(
        found[0]
            .summary
            .raw()
            .contains("user/alice called key.schedule_destroy on key arn:")
    );
    assert!(!found[0].advice.is_empty() && !found[0].references.is_empty() && !found[0].raw.is_empty());
}

#[test]
fn titles_hold_no_text_of_the_event() {
    let marker = "mallory-marker";
    for action in Action::ALL {
        for event in [ev(*action), ev(*action).denied()] {
            let mut event = event.by(marker).key(marker).resource(marker);
            event.0.operation = marker.into();
            let mut world = World::new(learned());
            world.events(&[event]);
            for finding in raised(&world) {
                assert!(!finding.title.contains(marker), "{}", finding.title);
                for advice in &finding.advice {
                    let command = advice.command.as_deref().unwrap_or("");
                    assert!(!command.contains(&format!("key/{marker}")), "{command}");
                }
            }
        }
    }
}

#[test]
fn what_changes_is_read_again_once_a_step() {
    let mut world = World::new(policy());
    world.events(&[
        ev(Action::KeyRotationDisable),
        ev(Action::KeyPolicySet).minute(1),
        ev(Action::KeyDisable).key("k2").denied(),
        ev(Action::KeyDecrypt).key("k3"),
        ev(Action::DefaultEncryptionRemove)
            .no_key()
            .resource("arn:aws:s3:::b"),
    ]);
    let asked: Vec<_> = world.steps[0]
        .repolls
        .iter()
        .map(|request| request.resource.id.as_str())
        .collect();
    assert_eq!(
        asked,
        ["arn:aws:kms:eu-west-1:111111111111:key/k0", "arn:aws:s3:::b"]
    );
}

#[test]
fn wanted_holds_every_action_that_a_rule_or_the_ledger_looks_at() {
    let wanted = World::new(policy()).detector.wanted();
    for action in Action::ALL {
        assert_eq!(wanted.contains(*action), *action != Action::Other, "{action:?}");
    }
}

/// A stream that touches most of the state, in a fixed pseudo-random order.
fn stream(seed: u64, length: usize) -> Vec<Ev> {
    let actions = [
        Action::KeyDecrypt,
        Action::KeyDecrypt,
        Action::KeyDecrypt,
        Action::KeyDataKey,
        Action::KeyScheduleDestroy,
        Action::KeyCancelDestroy,
        Action::KeyDisable,
        Action::KeyEnable,
        Action::KeyImport,
        Action::KeyRotate,
        Action::SecretDestroy,
        Action::AuditStop,
        Action::AuditStart,
        Action::DefaultEncryptionRemove,
    ];
    let mut state = seed;
    let mut next = |bound: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let mut events = Vec::new();
    for n in 0..length {
        let mut event = ev(actions[next(actions.len() as u64) as usize])
            .key(&format!("k{}", next(4)))
            .by(&format!("u{}", next(4)))
            .source(&format!("10.0.0.{}", next(3)))
            .minute(next(6000) as i64);
        if next(4) == 0 {
            event = event.denied();
        }
        if next(5) == 0 {
            event = event
                .shared(&format!("s{}", next(20)))
                .in_log(["111111111111", "999999999999"][next(2) as usize]);
        }
        if matches!(
            event.0.action,
            Action::AuditStop | Action::AuditStart | Action::SecretDestroy
        ) {
            event = event.no_key().resource("r");
        }
        event.0.id = keyvigil_model::id::EventId::new(format!("e{n}"));
        events.push(event);
    }
    events
}

#[test]
fn a_restart_changes_nothing() {
    for seed in 0..12 {
        let mut policy = learned();
        policy.thresholds.decrypt_spike.floor = 3;
        policy.thresholds.mass_destroy.minutes = 1000;
        let events = stream(seed, 400);
        let mut whole = World::new(policy.clone());
        let mut broken = World::new(policy.clone());
        for (index, batch) in events.chunks(20).enumerate() {
            whole.events(batch);
            broken.events(batch);
            whole.tick_minute(index as i64);
            broken.tick_minute(index as i64);
            if index % 3 == 0 {
                broken.restart(policy.clone());
            }
        }
        let say = |world: &World| {
            world
                .steps
                .iter()
                .flat_map(|step| step.findings.clone())
                .collect::<Vec<_>>()
        };
        assert!(say(&whole).len() > 50, "the stream must make findings");
        assert_eq!(say(&whole), say(&broken), "seed {seed}");
        let state = |world: &World| {
            world
                .steps
                .iter()
                .flat_map(|step| step.state.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(state(&whole), state(&broken), "seed {seed}");
    }
}

#[test]
fn saved_rows_that_cannot_be_used_are_reported() {
    let row = |space: &str, key: &str, value: &[u8]| SavedState {
        space: space.to_owned(),
        key: key.to_owned(),
        value: value.to_vec(),
    };
    let good = "00112233445566778899aabbccddeeff";
    let (_, problems) = Detector::new(
        Policy::default(),
        [
            row("nothing", good, b"{}"),
            row("open", "zz", b"{}"),
            row("shared", good, b"not json"),
        ],
    );
    let said: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 3);
    assert!(said[0].contains("no such table"), "{}", said[0]);
    assert!(said[1].contains("32 hexadecimal"), "{}", said[1]);
    assert!(said[2].contains("cannot be read"), "{}", said[2]);
}

#[test]
fn another_policy_counts_from_the_next_event_on() {
    let mut world = World::new(policy());
    world.events(&[ev(Action::KeyDisable)]);
    let mut critical = policy();
    critical.critical_keys = vec!["*".to_owned()];
    world.detector.replace_policy(critical);
    world.events(&[ev(Action::KeyDisable).minute(1)]);
    assert_eq!(world.log(), ["high key.disabled", "critical key.disabled"]);
}

#[test]
fn late_repairs_do_not_close_newer_deeds() {
    check_rule(
        &key_disabled::META,
        policy(),
        &[ev(Action::KeyEnable), ev(Action::KeyDisable).minute(1)],
        &["high key.disabled"],
    );
    let mut world = World::new(policy());
    world.events(&[ev(Action::KeyDisable).minute(5)]);
    world.events(&[ev(Action::KeyEnable).minute(4)]);
    assert_eq!(world.log(), ["high key.disabled"]);
    world.events(&[ev(Action::KeyEnable).minute(6)]);
    assert_eq!(world.log(), ["high key.disabled", "cleared reverted"]);
}

#[test]
fn a_repair_closes_what_was_forgotten_since() {
    let mut world = World::new(policy());
    world.events(&[ev(Action::KeyDisable)]);
    // The clock moves on: what is older than a month is dropped.
    world.events(&[ev(Action::KeyDecrypt).key("other").day(40)]);
    world.tick(40);
    world.clear_log();
    world.restart(policy());
    world.events(&[ev(Action::KeyEnable).day(41)]);
    assert_eq!(world.log(), ["cleared reverted"]);
    world.events(&[ev(Action::KeyEnable).day(42)]);
    assert_eq!(world.log(), ["cleared reverted"], "told once");
}

#[test]
fn an_unsaved_detector_finds_the_same_and_hands_out_no_state() {
    let events = [
        ev(Action::KeyDecrypt).by("app"),
        ev(Action::KeyScheduleDestroy).by("mallory").minute(1),
    ];
    let mut saved = World::new(learned());
    let mut unsaved = World::new(learned());
    unsaved.detector = Detector::unsaved(learned());
    for event in &events {
        saved.events(std::slice::from_ref(event));
        unsaved.events(std::slice::from_ref(event));
    }
    assert_eq!(saved.log(), unsaved.log());
    assert!(!saved.log().is_empty());
    let rows = |world: &World| world.steps.iter().map(|step| step.state.len()).sum::<usize>();
    assert!(rows(&saved) > 0);
    assert_eq!(rows(&unsaved), 0);
}
