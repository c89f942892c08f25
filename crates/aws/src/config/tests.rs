//! What a good configuration looks like, and what is reported about bad ones.

use super::*;

fn account(rest: serde_json::Value) -> serde_json::Value {
    let mut account = serde_json::json!({
        "name": "prod", "account_id": "111122223333", "regions": ["eu-west-1"],
    });
    merge(&mut account, rest);
    account
}

fn trail(rest: serde_json::Value) -> serde_json::Value {
    let mut trail = serde_json::json!({
        "name": "main", "bucket": "acme-logs", "region": "eu-west-1", "account": "prod",
        "queue_url": "https://sqs.eu-west-1.amazonaws.com/111122223333/trail",
    });
    merge(&mut trail, rest);
    trail
}

fn merge(base: &mut serde_json::Value, rest: serde_json::Value) {
    for (key, value) in rest.as_object().unwrap() {
        base[key] = value.clone();
    }
}

fn keys(accounts: &[serde_json::Value], trails: &[serde_json::Value]) -> Vec<String> {
    let config = serde_json::json!({ "accounts": accounts, "trails": trails });
    let config: AwsConfig = serde_json::from_value(config).unwrap();
    config.problems().into_iter().map(|problem| problem.key).collect()
}

#[test]
fn a_minimal_configuration_has_defaults() {
    let config = serde_json::json!({ "accounts": [account(serde_json::json!({}))],
        "trails": [trail(serde_json::json!({}))] });
    let config: AwsConfig = serde_json::from_value(config).unwrap();
    assert_eq!(config.problems(), []);
    let account = config.account("prod").unwrap();
    assert_eq!(account.poll, PollFamily::ALL);
    assert_eq!(account.lookup_events, LookupEventsConfig::default());
    assert_eq!(config.trails[0].visibility_seconds, 300);
    assert_eq!(config.trails[0].max_object_bytes, 67_108_864);
}

#[test]
fn account_problems_name_their_key() {
    let none: &[&str] = &[];
    for (rest, expected) in [
        (
            serde_json::json!({ "role_arn": "arn:aws:iam::111122223333:role/x", "external_id": "ab" }),
            none,
        ),
        (
            serde_json::json!({ "account_id": "1111" }),
            &["aws.accounts[0].account_id"],
        ),
        (serde_json::json!({ "name": "Prod!" }), &["aws.accounts[0].name"]),
        (serde_json::json!({ "regions": [] }), &["aws.accounts[0].regions"]),
        (
            serde_json::json!({ "regions": ["Frankfurt"] }),
            &["aws.accounts[0].regions"],
        ),
        (
            serde_json::json!({ "regions": ["eu-west-1", "cn-north-1"] }),
            &["aws.accounts[0].regions"],
        ),
        (
            serde_json::json!({ "regions": ["eu-west-1", "eu-west-1"] }),
            &["aws.accounts[0].regions"],
        ),
        (
            serde_json::json!({ "role_arn": "keyvigil" }),
            &["aws.accounts[0].role_arn"],
        ),
        (
            serde_json::json!({ "role_arn": "arn:aws-cn:iam::999922223333:role/x" }),
            &["aws.accounts[0].role_arn", "aws.accounts[0].role_arn"],
        ),
        (
            serde_json::json!({ "external_id": "x" }),
            &["aws.accounts[0].external_id", "aws.accounts[0].external_id"],
        ),
        (
            serde_json::json!({ "endpoint_url": "localhost:5000" }),
            &["aws.accounts[0].endpoint_url"],
        ),
        (
            serde_json::json!({ "poll": ["keys", "keys"] }),
            &["aws.accounts[0].poll"],
        ),
        (
            serde_json::json!({ "lookup_events": { "mode": "on", "poll_seconds": 1, "requests_per_second": 3.0 } }),
            &[
                "aws.accounts[0].lookup_events.poll_seconds",
                "aws.accounts[0].lookup_events.requests_per_second",
            ],
        ),
    ] {
        assert_eq!(keys(&[account(rest.clone())], &[]), expected, "{rest}");
    }
}

#[test]
fn trail_problems_name_their_key() {
    let none: &[&str] = &[];
    for (rest, expected) in [
        (
            serde_json::json!({ "organization": "o-abcdefghij", "prefix": "a/b" }),
            none,
        ),
        (
            serde_json::json!({ "bucket": "s3://acme" }),
            &["aws.trails[0].bucket"],
        ),
        (
            serde_json::json!({ "queue_url": "trail" }),
            &["aws.trails[0].queue_url"],
        ),
        (
            serde_json::json!({ "account": "staging" }),
            &["aws.trails[0].account"],
        ),
        (serde_json::json!({ "prefix": "a/" }), &["aws.trails[0].prefix"]),
        (
            serde_json::json!({ "accounts": ["1"] }),
            &["aws.trails[0].accounts"],
        ),
        (
            serde_json::json!({ "organization": "o-X" }),
            &["aws.trails[0].organization"],
        ),
        (
            serde_json::json!({ "visibility_seconds": 5, "wait_seconds": 21, "max_object_bytes": 1 }),
            &[
                "aws.trails[0].visibility_seconds",
                "aws.trails[0].wait_seconds",
                "aws.trails[0].max_object_bytes",
            ],
        ),
    ] {
        let accounts = [account(serde_json::json!({}))];
        assert_eq!(keys(&accounts, &[trail(rest.clone())]), expected, "{rest}");
    }
}

#[test]
fn every_problem_is_reported_at_once() {
    let accounts = [
        account(serde_json::json!({ "account_id": "x" })),
        account(serde_json::json!({})),
    ];
    let trails = [trail(serde_json::json!({ "bucket": "" }))];
    assert_eq!(
        keys(&accounts, &trails),
        [
            "aws.accounts[0].account_id",
            "aws.accounts[1].name",
            "aws.trails[0].bucket"
        ]
    );
}

#[test]
fn unknown_keys_are_refused() {
    let config = serde_json::json!({ "accounts": [account(serde_json::json!({ "regoins": [] }))] });
    let error = serde_json::from_value::<AwsConfig>(config).unwrap_err();
    assert!(error.to_string().contains("regoins"), "{error}");
}

#[test]
fn an_address_with_a_password_is_not_printed() {
    let rest = serde_json::json!({ "endpoint_url": "https://user:hunter2@host" });
    let config = serde_json::json!({ "accounts": [account(rest)] });
    let config: AwsConfig = serde_json::from_value(config).unwrap();
    assert!(!format!("{:?}", config.problems()).contains("hunter2"));
    assert_eq!(config.problems().len(), 1);
}
