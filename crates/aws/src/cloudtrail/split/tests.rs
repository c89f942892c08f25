//! The splitter against a real parser, on generated documents and windows of any size.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// What the splitter finds when the log comes in windows that grow by `step` bytes.
fn split(bytes: &[u8], step: usize) -> (Vec<Vec<u8>>, Vec<QuarantineReason>) {
    let (mut records, mut broken) = (Vec::new(), Vec::new());
    let mut splitter = Splitter::new();
    let (mut start, mut end) = (0, 0);
    while end < bytes.len() {
        end = (end + step).min(bytes.len());
        let tail = if end == bytes.len() { Tail::End } else { Tail::More };
        start += splitter.feed(&bytes[start..end], tail, &mut |piece| {
            match piece {
                Piece::Record(span) => {
                    assert!(span.backslash || !span.bytes.contains(&b'\\'));
                    if let Err(error) = serde_json::from_slice::<Value>(span.bytes) {
                        return Judged::NotJson(error.to_string());
                    }
                    records.push(span.bytes.to_vec());
                }
                Piece::Broken(fault) => broken.push(fault.reason),
            }
            Judged::Done
        });
    }
    (records, broken)
}

fn json() -> impl Strategy<Value = Value> {
    let text = "[a\\\\\"{}\\[\\],:é\n/]{0,12}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((text, inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn objects() -> impl Strategy<Value = Vec<Value>> {
    let entry = ("[a-z\\\\\"{}]{0,8}", json());
    let object =
        prop::collection::vec(entry, 0..8).prop_map(|entries| Value::Object(entries.into_iter().collect()));
    prop::collection::vec(object, 1..8)
}

fn print(value: &Value, pretty: bool) -> String {
    if pretty {
        serde_json::to_string_pretty(value).unwrap()
    } else {
        value.to_string()
    }
}

proptest! {
    #[test]
    fn records_are_those_that_a_parser_finds(
        objects in objects(),
        arrangement in 0..5,
        pretty: bool,
        step in prop_oneof![1usize..40, Just(100_000)],
    ) {
        let texts: Vec<_> = objects.iter().map(|object| print(object, pretty)).collect();
        let document = match arrangement {
            0 => format!("{{\"Records\":[{}]}}", texts.join(",")),
            1 => format!("{{ \"Records\" : [ {} ], \"next\": \"}}]\" }}\n", texts.join(" , ")),
            2 => format!("[{}]", texts.join(",\n")),
            3 => texts.join("\n"),
            _ => texts.join(""),
        };
        let (records, broken) = split(document.as_bytes(), step);
        let parsed: Vec<Value> = records.iter().map(|record| serde_json::from_slice(record).unwrap()).collect();
        prop_assert_eq!(parsed, objects, "{}", document);
        prop_assert_eq!(broken, vec![]);
    }

    #[test]
    fn no_bytes_at_all_can_upset_it(bytes in prop::collection::vec(any::<u8>(), 0..400), step in 1usize..80) {
        split(&bytes, step);
    }

    #[test]
    fn no_soup_of_structure_can_upset_it(soup in "[{}\\[\\]\\\\\",:a\n]{0,300}", step in 1usize..80) {
        split(soup.as_bytes(), step);
        split(format!("{{\"Records\":[{soup}]}}").as_bytes(), step);
    }
}

#[test]
fn faults_are_found_the_same_in_windows_of_any_size() {
    let good = |n: usize| format!(r#"{{"eventVersion":"1.11","eventID":"{n}","userAgent":"x"}}"#);
    let document = format!(
        "{{\"Records\":[{},{},{},{}]}}",
        good(1),
        &good(2)[..40],
        good(3),
        good(4)
    );
    for step in 1..document.len() + 1 {
        let (records, broken) = split(document.as_bytes(), step);
        assert_eq!(records, [1, 3, 4].map(|n| good(n).into_bytes()), "{step}");
        assert_eq!(broken, [QuarantineReason::NotJson], "{step}");
    }
}

#[test]
fn hostile_files_take_linear_time() {
    // Each of these made a naive search try every byte against the rest of the file.
    for unit in [
        "{\"eventVersion\":[",
        "{\"eventID\":\"",
        "[{",
        "{\"eventID\":{\"eventName\":",
        "\n{\"",
    ] {
        let hostile = unit.repeat(150_000 / unit.len());
        let (records, broken) = split(hostile.as_bytes(), 1 << 22);
        assert!(records.is_empty() && !broken.is_empty(), "{unit}");
    }
}
