//! What a message says, field by field.

use keyvigil_model::alert::AlertState;
use keyvigil_model::event::Outcome;
use keyvigil_model::finding::{Advice, Effect};
use keyvigil_model::id::PrincipalId;
use keyvigil_model::severity::Severity;

use super::*;
use crate::samples::{KEY, at, finding};

fn alert(finding: Finding) -> Alert {
    Alert {
        fingerprint: finding.fingerprint,
        episode: 1,
        state: AlertState::Open,
        severity: finding.severity,
        first: finding.time,
        last: finding.time,
        opened_at: at(41),
        notified_at: None,
        count: 1,
        finding,
    }
}

fn news(finding: Finding) -> Message {
    let telling = Telling {
        reason: NotifyReason::New,
        ending: None,
        back_after: None,
    };
    compose(&LinkSettings::default(), &alert(finding), &telling, at(41))
}

fn pairs(rows: &[(&'static str, Untrusted)]) -> Vec<(&'static str, String)> {
    rows.iter()
        .map(|(name, value)| (*name, value.raw().to_owned()))
        .collect()
}

fn said<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    let mut cycle = message.lifecycle.iter();
    cycle
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value.as_str())
}

#[test]
fn the_twelve_fields_are_there() {
    let message = news(finding("a", Severity::Critical, 0));
    assert_eq!(message.headline, "A key is scheduled for deletion");
    assert_eq!(
        pairs(&message.who),
        [
            (
                label::PRINCIPAL,
                "arn:aws:iam::111122223333:role/Admin".to_owned()
            ),
            (label::SESSION, "alice@example.com".to_owned()),
            (label::ON_BEHALF_OF, "Alice".to_owned()),
            (label::KIND, "workload".to_owned()),
            (label::PRINCIPAL_ACCOUNT, "111122223333".to_owned()),
            (label::CREDENTIAL, "ASIAEXAMPLE".to_owned()),
            (label::SECOND_FACTOR, "yes".to_owned()),
        ]
    );
    assert_eq!(
        message.what.raw(),
        "ScheduleKeyDeletion on alias/prod-db. It succeeded. pending window: 7 days"
    );
    assert_eq!(
        pairs(&message.subject),
        [
            (label::ALIAS, "alias/prod-db".to_owned()),
            (label::KEY, KEY.to_owned()),
            (label::PROVIDER, "aws".to_owned()),
            (label::ACCOUNT, "111122223333".to_owned()),
            (label::REGION, "eu-west-1".to_owned()),
            (label::PROTECTS, "2 databases, 3 buckets".to_owned()),
            (label::OWNER, "team-payments".to_owned()),
        ]
    );
    assert_eq!(
        pairs(&message.from),
        [
            (label::ADDRESS, "203.0.113.24".to_owned()),
            (label::USER_AGENT, "aws-cli/2".to_owned()),
            (label::TLS, "TLSv1.3".to_owned()),
            (label::SEEN_BEFORE, "no, this is the first time".to_owned()),
        ]
    );
    assert!(message.normal.starts_with("Not known"), "{}", message.normal);
    assert_eq!(
        message.blast_radius,
        "Data under the key cannot be read any more. \
         Irreversible from 2026-01-01T00:00:00Z, in 6 d 23 h."
    );
    assert_eq!(message.next_steps.len(), 1);
    assert_eq!(message.controls, ["SOC2 CC6.1", "ATT&CK T1485"]);
    assert_eq!((message.event_time, message.alerted_at), (at(0), at(41)));
    for (name, value) in [
        (label::STATUS, "open"),
        (label::SENT_BECAUSE, "new"),
        (label::RULE, "key.destroy_scheduled"),
        (label::LATENCY, "41 s"),
        (label::SOURCE, "aws/prod/cloudtrail"),
        (label::EVENT, "0e4d136e-0000-4000-8000-00000000000a"),
    ] {
        assert_eq!(said(&message, name), Some(value), "{name}");
    }
    for name in [label::OPENING, label::OCCURRENCES, label::CLOSED_BECAUSE] {
        assert_eq!(said(&message, name), None, "{name}");
    }
}

#[test]
fn the_outcome_is_told_in_words() {
    for (outcome, words) in [
        (Outcome::Success, "It succeeded."),
        (Outcome::Denied, "The attempt was denied."),
        (Outcome::Failed, "The attempt failed."),
        (Outcome::Unknown, "The record does not say whether it succeeded."),
    ] {
        let message = news(Finding {
            outcome,
            ..finding("a", Severity::High, 0)
        });
        assert!(message.what.raw().contains(words), "{outcome:?}");
    }
}

#[test]
fn attacker_chosen_text_stays_where_it_is_escaped() {
    const EVIL: &str = "<!channel> `x`";
    let mut wicked = finding("a", Severity::High, 0);
    wicked.summary = EVIL.into();
    wicked.evidence[0].value = EVIL.into();
    wicked.account = EVIL.into();
    wicked.region = EVIL.into();
    wicked.event_ids = vec![EVIL.into()];
    wicked.context.owner = Some(EVIL.into());
    if let Some(key) = &mut wicked.key {
        key.id = EVIL.into();
        key.alias = Some(EVIL.into());
    }
    if let Some(principal) = &mut wicked.principal {
        principal.id = EVIL.into();
        principal.account = Some(EVIL.into());
        principal.session = Some(EVIL.into());
        principal.on_behalf_of = Some(EVIL.into());
        principal.credential = Some(EVIL.into());
    }
    if let Some(network) = &mut wicked.network {
        network.source = Some(EVIL.into());
        network.user_agent = Some(EVIL.into());
    }
    let reason = ClearReason::RevertedBy(PrincipalId::from(EVIL));
    let ending = Ending::Cleared {
        at: at(9),
        reason: &reason,
    };
    for ending in [None, Some(&ending)] {
        let telling = Telling {
            reason: NotifyReason::New,
            ending,
            back_after: None,
        };
        let message = compose(&LinkSettings::default(), &alert(wicked.clone()), &telling, at(41));
        let trusted = format!(
            "{} {} {} {:?} {:?} {:?} {:?}",
            message.headline,
            message.normal,
            message.blast_radius,
            message.next_steps,
            message.links,
            message.controls,
            message.lifecycle
        );
        assert!(!trusted.contains("channel"), "{trusted}");
    }
}

#[test]
fn commands_with_line_breaks_are_left_out() {
    for (command, kept) in [
        ("aws kms describe-key --key-id x", true),
        ("aws kms x\nrm -rf /", false),
        ("aws kms x\r", false),
        ("aws kms \u{202e}x", false),
        ("aws kms \u{a0}x", false),
    ] {
        let mut one = finding("a", Severity::High, 0);
        one.advice = vec![Advice {
            text: "Do it.".to_owned(),
            command: Some(command.to_owned()),
            effect: Effect::ReadOnly,
        }];
        let step = news(one).next_steps.remove(0);
        assert_eq!(step.command.is_some(), kept, "{command:?}");
        assert_eq!(step.text, "Do it.");
    }
}

#[test]
fn an_end_says_why_and_asks_for_nothing() {
    let reason = ClearReason::RevertedBy(PrincipalId::from("bob"));
    let ending = Ending::Cleared {
        at: at(100),
        reason: &reason,
    };
    let telling = Telling {
        reason: NotifyReason::Reverted,
        ending: Some(&ending),
        back_after: None,
    };
    let mut over = alert(finding("a", Severity::High, 0));
    over.episode = 2;
    over.count = 3;
    over.state = AlertState::Reverted;
    let message = compose(&LinkSettings::default(), &over, &telling, at(120));
    assert!(message.next_steps.is_empty() && message.blast_radius.is_empty());
    assert_eq!(
        message.who.last().map(|(name, by)| (*name, by.raw())),
        Some((label::UNDONE_BY, "bob"))
    );
    for (name, value) in [
        (label::STATUS, "reverted"),
        (label::CLOSED_BECAUSE, "it was undone, 2025-12-25T00:01:40Z"),
        (label::OPENING, "2"),
        (label::OCCURRENCES, "3"),
    ] {
        assert_eq!(said(&message, name), Some(value), "{name}");
    }
    assert!(said(&message, label::ALERT).unwrap().ends_with(".2"));
}
