//! The prefilter must never leave out what matters: leaving out by bytes and parsing everything give the same events.

use keyvigil_model::action::{Action, ActionSet};
use proptest::prelude::*;

use super::super::actions::SERVICES;
use super::{decode, everything};

/// How a key and its value are written.
#[derive(Clone, Copy, Debug)]
enum Written {
    Plainly,
    Spaced,
    /// A character of the key is an escape.
    EscapedKey,
    /// A character of the value is an escape.
    EscapedValue,
    Null,
    Absent,
    /// A second key of the same name follows, with another value.
    Twice,
    /// An object before it has a key of the same name.
    AfterADecoy,
}

fn written() -> impl Strategy<Value = Written> {
    prop_oneof![
        8 => Just(Written::Plainly),
        2 => Just(Written::Spaced),
        1 => Just(Written::EscapedKey),
        1 => Just(Written::EscapedValue),
        1 => Just(Written::Null),
        1 => Just(Written::Absent),
        1 => Just(Written::Twice),
        1 => Just(Written::AfterADecoy),
    ]
}

fn entry(key: &str, value: &str, other: &str, written: Written) -> String {
    let escape = |text: &str| {
        let (head, tail) = text.split_at(2);
        let first = tail.bytes().next().unwrap();
        format!("{head}\\u{:04x}{}", first, &tail[1..])
    };
    match written {
        Written::Plainly => format!("\"{key}\":\"{value}\","),
        Written::Spaced => format!("\"{key}\" :\n \"{value}\" ,"),
        Written::EscapedKey => format!("\"{}\":\"{value}\",", escape(key)),
        Written::EscapedValue => format!("\"{key}\":\"{}\",", escape(value)),
        Written::Null => format!("\"{key}\":null,"),
        Written::Absent => String::new(),
        Written::Twice => format!("\"{key}\":\"{other}\",\"{key}\":\"{value}\","),
        Written::AfterADecoy => format!("\"note\":{{\"{key}\":\"{other}\"}},\"{key}\":\"{value}\","),
    }
}

fn called() -> impl Strategy<Value = (String, String)> {
    let known = prop::sample::select(SERVICES).prop_flat_map(|service| {
        let names: Vec<_> = service
            .operations
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect();
        (
            Just(service.name.to_owned()),
            prop_oneof![4 => prop::sample::select(names), 1 => Just("ListTags".to_owned())],
        )
    });
    let unknown =
        ("lambda.amazonaws.com", "Invoke").prop_map(|(service, name)| (service.to_owned(), name.to_owned()));
    prop_oneof![4 => known, 1 => unknown]
}

prop_compose! {
    fn record()(
        (service, operation) in called(),
        (other_service, other_operation) in called(),
        (how_service, how_operation) in (written(), written()),
        name_first: bool,
        parameters in prop::sample::select(&[
            "null",
            "{\"x-amz-server-side-encryption-customer-algorithm\":\"AES256\",\"bucketName\":\"b\"}",
            "{\"X-Amz-Server-Side-Encryption-Customer-Algorithm\":\"AES256\"}",
            "{\"s3BucketName\":\"elsewhere\",\"name\":\"t\"}",
            "{\"isMultiRegionTrail\":false}",
            "{\"text\":\"\\\"eventSource\\\":\\\"kms.amazonaws.com\\\"\"}",
            "{\"text\":\"eventSource\",\"other\":\"eventName\"}",
        ]),
        applied in prop::sample::select(&["null", "{\"SSEApplied\":\"SSE_C\"}"]),
    ) -> String {
        let service = entry("eventSource", &service, &other_service, how_service);
        let operation = entry("eventName", &operation, &other_operation, how_operation);
        let both = if name_first { operation + &service } else { service + &operation };
        format!(
            "{{\"eventVersion\":\"1.11\",{both}\"requestParameters\":{parameters},\"additionalEventData\":{applied},\
             \"eventTime\":\"2026-03-01T12:00:00Z\",\"recipientAccountId\":\"111122223333\""
        )
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_prefilter_changes_nothing(
        records in prop::collection::vec(record(), 1..12),
        wanted in prop::collection::vec(prop::sample::select(Action::ALL), 0..4),
        everything_of_keys: bool,
    ) {
        let mut wanted = ActionSet::of(&wanted);
        if everything_of_keys {
            wanted = wanted.union(ActionSet::keys_and_secrets());
        }
        let mut numbered = Vec::new();
        for (number, record) in records.iter().enumerate() {
            numbered.push(format!("{record},\"eventID\":\"{number}\"}}"));
        }
        let document = format!("{{\"Records\":[{}]}}", numbered.join(","));
        let filtered = decode(document.as_bytes(), wanted);
        let mut whole = decode(document.as_bytes(), everything());
        whole.events.retain(|event| wanted.contains(event.action));
        prop_assert_eq!(&filtered.events, &whole.events, "{}", document);
        prop_assert_eq!(filtered.summary.records, whole.summary.records);
    }
}
