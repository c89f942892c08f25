//! Findings for tests.

use keyvigil_model::event::{Network, Outcome};
use keyvigil_model::finding::{Advice, Context, Effect, Evidence, Finding, FindingKind};
use keyvigil_model::id::{FindingId, Fingerprint};
use keyvigil_model::key::{KeyForm, KeyRef};
use keyvigil_model::principal::{Principal, PrincipalKind};
use keyvigil_model::provider::Provider;
use keyvigil_model::severity::Severity;
use keyvigil_model::time::Timestamp;

pub(crate) const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// An instant `seconds` after the start of the tests' time.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(1_766_620_800 + seconds)
}

/// A key that is scheduled for deletion, seen `seconds` after the start.
pub(crate) fn finding(about: &str, severity: Severity, seconds: i64) -> Finding {
    Finding {
        id: FindingId::of(&[about.as_bytes(), &seconds.to_le_bytes()]),
        fingerprint: Fingerprint::of(&[about.as_bytes()]),
        check: "key.destroy_scheduled".into(),
        kind: FindingKind::Event,
        title: "A key is scheduled for deletion".to_owned(),
        summary: "ScheduleKeyDeletion on alias/prod-db.".into(),
        severity,
        outcome: Outcome::Success,
        provider: Provider::Aws,
        account: "111122223333".into(),
        region: "eu-west-1".into(),
        time: at(seconds),
        principal: Some(Principal {
            kind: PrincipalKind::Workload,
            account: Some("111122223333".into()),
            session: Some("alice@example.com".into()),
            on_behalf_of: Some("Alice".into()),
            credential: Some("ASIAEXAMPLE".into()),
            mfa: Some(true),
            ..Principal::unknown("arn:aws:iam::111122223333:role/Admin")
        }),
        key: Some(KeyRef {
            id: KEY.into(),
            form: KeyForm::Canonical,
            account: Some("111122223333".into()),
            region: Some("eu-west-1".into()),
            alias: Some("alias/prod-db".into()),
        }),
        resource: None,
        network: Some(Network {
            source: Some("203.0.113.24".into()),
            user_agent: Some("aws-cli/2".into()),
            tls_version: Some("TLSv1.3".into()),
        }),
        event_ids: vec!["0e4d136e-0000-4000-8000-00000000000a".into()],
        references: vec!["SOC2 CC6.1", "ATT&CK T1485"],
        source: "aws/prod/cloudtrail".into(),
        evidence: vec![Evidence {
            label: "pending window",
            value: "7 days".into(),
        }],
        advice: vec![Advice {
            text: "Look at the key.".to_owned(),
            command: Some("aws kms describe-key --key-id 1234abcd-12ab-34cd-56ef-1234567890ab".to_owned()),
            effect: Effect::ReadOnly,
        }],
        context: Context {
            protects: Some("2 databases, 3 buckets".to_owned()),
            owner: Some("team-payments".into()),
            normal: None,
            blast_radius: Some("Data under the key cannot be read any more.".to_owned()),
            deadline: Some(at(7 * 86_400)),
            source_seen_before: Some(false),
        },
        raw: vec![b"{}".as_slice().into()],
    }
}
