//! Exceptions, and what a finding says.

use keyvigil_model::finding::FindingKind;

use super::*;

fn doomed() -> Snapshot {
    let key = key_with(|m| {
        m.state = AwsKeyState::PendingDeletion;
        m.deletion_date = Some(in_days(7));
    });
    complete(
        Family::Keys,
        vec![tagged(key_resource(key), &[("owner", "payments")])],
    )
}

fn exception(fields: serde_json::Value) -> serde_json::Value {
    let mut exception = serde_json::json!({
        "id": "EX-1", "checks": ["aws.kms.pending_deletion"], "owner": "a", "reason": "r", "expires": "2026-12-31"
    });
    for (name, value) in fields.as_object().unwrap() {
        exception[name] = value.clone();
    }
    serde_json::json!({ "exceptions": [exception] })
}

#[test]
fn exceptions_cover_what_they_select() {
    for (why, fields, expected) in [
        ("6: the key", serde_json::json!({"keys": ["*key/k1"]}), "excepted"),
        ("by alias", serde_json::json!({"keys": ["alias/app"]}), "excepted"),
        ("the account", serde_json::json!({"accounts": [OWN]}), "excepted"),
        ("another key", serde_json::json!({"keys": ["*key/k2"]}), "fail"),
        (
            "another account",
            serde_json::json!({"accounts": ["222222222222"]}),
            "fail",
        ),
        (
            "another control",
            serde_json::json!({"checks": ["aws.s3.*"]}),
            "fail",
        ),
        (
            "a pattern of controls",
            serde_json::json!({"checks": ["aws.kms.*"]}),
            "excepted",
        ),
        (
            "a principal: not about a key",
            serde_json::json!({"principals": ["*"]}),
            "fail",
        ),
        (
            "a resource other than a key",
            serde_json::json!({"resources": ["*"]}),
            "fail",
        ),
        (
            "over",
            serde_json::json!({"keys": ["*"], "expires": "2026-06-01"}),
            "fail",
        ),
    ] {
        let world = World::of(&[doomed()]).with(exception(fields));
        assert_eq!(world.verdict("aws.kms.pending_deletion", KEY), expected, "{why}");
    }
    // What passes needs no exception.
    let fine = World::of(&[complete(Family::Keys, vec![key_resource(key())])])
        .with(exception(serde_json::json!({})));
    assert_eq!(fine.verdict("aws.kms.pending_deletion", KEY), "pass");
}

#[test]
fn a_finding_answers_what_which_and_what_now() {
    let buckets = complete(Family::Buckets, vec![bucket_resource(bucket_under(KEY))]);
    let world = World::of(&[doomed(), buckets]);
    let judgement = world.judge("aws.kms.pending_deletion", KEY).unwrap();
    let finding = finding(&judgement, &world.inventory, &world.policy);
    assert_eq!(finding.kind, FindingKind::State);
    assert_eq!(finding.fingerprint, fingerprint(&judgement));
    assert_eq!(finding.severity.as_str(), "critical");
    assert_eq!(finding.account.as_str(), OWN);
    assert_eq!(finding.key.as_ref().map(|key| key.id.as_str()), Some(KEY));
    assert_eq!(finding.context.protects.as_deref(), Some("1 bucket"));
    assert_eq!(finding.context.owner, Some(Untrusted::from("owner payments")));
    assert_eq!(finding.context.deadline, Some(in_days(7)));
    assert_eq!(
        finding.summary.raw(),
        "The key will be destroyed at 2026-06-08T12:00:00Z; it protects 1 bucket. \
         Required: no customer key waits to be destroyed without an exception."
    );
    let commands: Vec<_> = finding
        .advice
        .iter()
        .filter_map(|step| step.command.as_deref())
        .collect();
    assert_eq!(
        commands,
        [
            "aws kms describe-key --key-id arn:aws:kms:eu-west-1:111111111111:key/k1 --region eu-west-1",
            "aws kms cancel-key-deletion --key-id arn:aws:kms:eu-west-1:111111111111:key/k1 --region eu-west-1",
        ]
    );
    // Nothing that was read depends on it: still bad, but one step lower.
    let alone = World::of(&[doomed()]);
    let judgement = alone.judge("aws.kms.pending_deletion", KEY).unwrap();
    assert_eq!(
        super::finding(&judgement, &alone.inventory, &alone.policy)
            .severity
            .as_str(),
        "high"
    );
}

#[test]
fn the_fingerprint_is_about_control_and_resource() {
    let world = World::of(&[doomed()]);
    let first = world.judge("aws.kms.pending_deletion", KEY).unwrap();
    let mut later = first.clone();
    later.at = in_days(1);
    later.observed = "otherwise".to_owned();
    assert_eq!(fingerprint(&first), fingerprint(&later));
    let other = world.judge("x.region_approved", KEY).unwrap();
    assert_ne!(fingerprint(&first), fingerprint(&other));
}

#[test]
fn a_judgement_of_something_that_is_gone_still_makes_a_finding() {
    let world = World::of(&[doomed()]);
    let judgement = world.judge("aws.kms.pending_deletion", KEY).unwrap();
    let finding = finding(&judgement, &Inventory::default(), &world.policy);
    assert_eq!(finding.title, "A key waits to be destroyed");
    assert!(finding.advice.is_empty());
}
