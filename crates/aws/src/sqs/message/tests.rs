//! Messages as they come, and as nobody should send them.

use keyvigil_model::id::{AccountId, Region};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const KEY: &str = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/02/111122223333_CloudTrail_eu-west-1_20260102T0305Z_a.json.gz";

fn allow() -> AllowList {
    AllowList {
        bucket: "acme-logs".into(),
        prefix: None,
        organization: None,
        accounts: [AccountId::from("111122223333")].into(),
        regions: [Region::from("eu-west-1")].into(),
    }
}

fn record(event: &str, bucket: &str, key: &str) -> Value {
    json!({ "eventVersion": "2.6", "eventSource": "aws:s3", "eventName": event,
        "s3": { "bucket": { "name": bucket }, "object": { "key": key, "size": 1234, "eTag": "d41d8cd9" } } })
}

fn created(key: &str) -> Value {
    json!({ "Records": [record("ObjectCreated:Put", "acme-logs", key)] })
}

fn in_sns(message: &Value) -> Value {
    json!({ "Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:111122223333:t", "Message": message.to_string() })
}

fn object(version: Option<&str>, size: Option<u64>) -> MessageBody {
    MessageBody::Objects(vec![ObjectRef {
        bucket: "acme-logs".into(),
        key: KEY.into(),
        version: version.map(Into::into),
        size,
    }])
}

fn parse(message: &Value) -> MessageBody {
    parse_message(&message.to_string(), &allow())
}

#[test]
fn every_shape_announces_its_object() {
    let full = object(Some("d41d8cd9"), Some(1234));
    let cloudtrail = json!({ "s3Bucket": "acme-logs", "s3ObjectKey": [KEY] });
    let bridge = json!({ "version": "0", "source": "aws.s3", "detail-type": "Object Created", "detail": {
        "bucket": { "name": "acme-logs" }, "object": { "key": KEY, "size": 1234, "etag": "d41d8cd9" } } });
    for (message, expected) in [
        (created(KEY), &full),
        (created(&KEY.replace('/', "%2F")), &full),
        (created(&KEY.replace('/', "%2f")), &full),
        (in_sns(&created(KEY)), &full),
        (cloudtrail.clone(), &object(None, None)),
        (in_sns(&cloudtrail), &object(None, None)),
        (bridge.clone(), &full),
        (in_sns(&bridge), &full),
        (
            json!({ "s3Bucket": "acme-logs", "s3ObjectKey": KEY }),
            &object(None, None),
        ),
    ] {
        assert_eq!(&parse(&message), expected, "{message}");
    }
}

#[test]
fn what_needs_no_reading_says_why() {
    let digest = KEY.replace("/CloudTrail/", "/CloudTrail-Digest/");
    for (message, reason) in [
        (
            json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "acme-logs" }),
            "S3's test message",
        ),
        (in_sns(&json!({ "Event": "s3:TestEvent" })), "S3's test message"),
        (
            json!({ "Records": [record("ObjectRemoved:Delete", "acme-logs", KEY)] }),
            "not the creation of an object",
        ),
        (created(&digest), "a digest file"),
        (
            json!({ "detail-type": "Object Deleted", "detail": {} }),
            "not the creation of an object",
        ),
        (
            json!({ "Type": "SubscriptionConfirmation", "Message": "x" }),
            "an SNS subscription message",
        ),
        (
            json!({ "Type": "Notification", "Message": "CloudTrail validation message." }),
            "CloudTrail's validation message",
        ),
        (json!({ "Records": [] }), "an empty announcement"),
    ] {
        assert_eq!(parse(&message), MessageBody::Nothing(reason), "{message}");
    }
}

fn check_refused(body: &str, reason: QuarantineReason, detail: &str) {
    match parse_message(body, &allow()) {
        MessageBody::Quarantined(found) => {
            assert_eq!(found.reason, reason, "{body}");
            assert!(found.detail.contains(detail), "{body}: {}", found.detail);
            assert_eq!(&*found.bytes, body.as_bytes());
        }
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn forged_objects_are_quarantined() {
    for (message, detail) in [
        (
            json!({ "Records": [record("ObjectCreated:Put", "evil", KEY)] }),
            "bucket is not configured",
        ),
        (
            created(&KEY.replace("111122223333/", "999922223333/")),
            "account 999922223333",
        ),
        (created("AWSLogs%2F..%2F..%2Fetc%2Fpasswd"), "'..'"),
        (created("%00"), "control character"),
        (created(&"a".repeat(2000)), "2000 bytes"),
        (created(""), "empty"),
        (
            json!({ "s3Bucket": "evil", "s3ObjectKey": [KEY] }),
            "bucket is not configured",
        ),
        (
            json!({ "Records": [record("ObjectCreated:Put", "acme-logs", KEY),
                                record("ObjectCreated:Put", "evil", KEY)] }),
            "bucket is not configured",
        ),
    ] {
        check_refused(&message.to_string(), QuarantineReason::NotAllowed, detail);
    }
}

#[test]
fn unreadable_messages_are_quarantined() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for (body, reason, detail) in [
        ("", QuarantineReason::NotJson, "not JSON"),
        ("hello", QuarantineReason::NotJson, "not JSON"),
        ("[1]", QuarantineReason::NotAnObject, "not a JSON object"),
        (deep.as_str(), QuarantineReason::TooDeep, "too deep"),
        ("{}", QuarantineReason::BadMessage, "no known shape"),
        (
            r#"{"Type":"Notification","Message":"nope"}"#,
            QuarantineReason::NotJson,
            "not JSON",
        ),
        (
            r#"{"Type":"Notification"}"#,
            QuarantineReason::BadMessage,
            "no known shape",
        ),
        (
            r#"{"Records":[{}]}"#,
            QuarantineReason::BadMessage,
            "no eventName",
        ),
        (
            r#"{"Records":[{"eventName":"ObjectCreated:Put"}]}"#,
            QuarantineReason::BadMessage,
            "no bucket",
        ),
        (
            r#"{"s3ObjectKey":["x"]}"#,
            QuarantineReason::BadMessage,
            "without s3Bucket",
        ),
        (
            r#"{"s3Bucket":"acme-logs","s3ObjectKey":[1]}"#,
            QuarantineReason::BadMessage,
            "not text",
        ),
        (
            r#"{"detail-type":"Object Created"}"#,
            QuarantineReason::BadMessage,
            "no bucket",
        ),
    ] {
        check_refused(body, reason, detail);
    }
    check_refused(
        &created("%ff%fe").to_string(),
        QuarantineReason::BadMessage,
        "not UTF-8",
    );
}

#[test]
fn form_encoding_is_undone() {
    for (key, expected) in [
        ("a+b", Some("a b")),
        ("a%2Bb", Some("a+b")),
        ("%C3%A9", Some("é")),
        ("100%", Some("100%")),
        ("%zz%2", Some("%zz%2")),
        ("%ff", None),
    ] {
        assert_eq!(decoded(key).as_deref(), expected, "{key}");
    }
}

#[test]
fn a_long_message_is_kept_in_part() {
    let body = "x".repeat(Quarantined::MAX_KEPT + 1);
    match parse_message(&body, &allow()) {
        MessageBody::Quarantined(found) => assert_eq!(found.bytes.len(), Quarantined::MAX_KEPT),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(body in ".*", key in ".{0,80}") {
        parse_message(&body, &allow());
        parse(&created(&key));
        parse(&created(&format!("AWSLogs/111122223333/CloudTrail/{key}")));
    }

    #[test]
    fn only_the_configured_bucket_and_account_are_ever_announced(bucket in "[a-z-]{3,12}", account in "[0-9]{12}") {
        let key = KEY.replace("111122223333/", &format!("{account}/"));
        let message = json!({ "s3Bucket": bucket, "s3ObjectKey": [key] });
        if bucket != "acme-logs" || account != "111122223333" {
            prop_assert!(matches!(parse(&message), MessageBody::Quarantined(_)));
        }
    }
}
