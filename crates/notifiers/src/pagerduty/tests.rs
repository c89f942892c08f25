//! What PagerDuty gets, and what its answers mean.

use keyvigil_model::alert::NotifyReason;
use keyvigil_model::severity::Severity;
use serde_json::Value;

use super::*;
use crate::fake_server::{Answer, body_of, call, client, serve};
use crate::samples::{
    MARK, acts_on_its_surroundings, deletion, filled_with, golden, hostile, reverted, rotation,
};

const KEY: &str = "0123456789abcdef0123456789ABCDEF";

fn pagerduty(url: &str) -> PagerDuty {
    PagerDuty::new("oncall".into(), &Secret::new(KEY), url, client()).unwrap()
}

fn render(notification: &Notification) -> Value {
    let text = pagerduty("https://events.pagerduty.com/v2/enqueue").render(notification);
    serde_json::from_str(&text).unwrap()
}

fn pretty(notification: &Notification) -> String {
    serde_json::to_string_pretty(&render(notification)).unwrap() + "\n"
}

#[test]
fn events_look_as_agreed() {
    golden("pagerduty/deletion.json", &pretty(&deletion()));
    golden("pagerduty/rotation-repeat.json", &pretty(&rotation()));
    golden("pagerduty/reverted.json", &pretty(&reverted()));
}

#[test]
fn severities_are_mapped() {
    for (severity, word) in [
        (Severity::Critical, "critical"),
        (Severity::High, "error"),
        (Severity::Medium, "warning"),
        (Severity::Low, "info"),
        (Severity::Info, "info"),
    ] {
        let event = render(&Notification {
            severity,
            ..deletion()
        });
        assert_eq!(event["payload"]["severity"], word, "{severity}");
    }
}

#[test]
fn one_episode_is_one_incident() {
    let key = |notification: &Notification| render(notification)["dedup_key"].as_str().unwrap().to_owned();
    let open = deletion();
    assert_eq!(
        key(&open),
        key(&reverted()),
        "the end closes what the beginning opened"
    );
    let mut repeat = open.clone();
    repeat.reason = NotifyReason::PossibleDuplicate;
    assert_eq!(key(&open), key(&repeat));
    let mut next = open.clone();
    next.episode = 2;
    assert_ne!(key(&open), key(&next));
    assert_ne!(key(&open), key(&rotation()));
    assert!(key(&open).len() <= 255);
}

/// Calls `visit` with the path of every string.
fn walk(path: &str, value: &Value, visit: &mut impl FnMut(&str, &str)) {
    match value {
        Value::String(text) => visit(path, text),
        Value::Object(fields) => {
            for (key, field) in fields {
                visit("key", key);
                walk(&format!("{path}.{key}"), field, visit);
            }
        }
        Value::Array(list) => list.iter().for_each(|entry| walk(path, entry, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn check_event(event: &Value, name: &str) {
    assert!(event.to_string().len() <= 512_000, "{name}");
    let summary = event["payload"]["summary"].as_str().unwrap();
    assert!(
        (1..=1024).contains(&summary.encode_utf16().count()) || summary.chars().count() <= 1024,
        "{name}"
    );
    for field in ["source", "component", "group"] {
        let text = event["payload"][field].as_str();
        assert!(
            text.map_or(field != "source", |text| !text.trim().is_empty()),
            "{name}: {field}"
        );
    }
    walk("", event, &mut |path, text| {
        let foreign = text.contains(MARK);
        let place = path.starts_with(".payload.custom_details.")
            || [
                ".payload.summary",
                ".payload.source",
                ".payload.component",
                ".payload.group",
                ".links.text",
            ]
            .contains(&path);
        assert!(place || !foreign, "{name}: attacker-chosen text in {path}");
        assert!(
            !text.chars().any(acts_on_its_surroundings),
            "{name}: {path}: {text:?}"
        );
    });
}

#[test]
fn hostile_names_stay_text() {
    for payload in &hostile() {
        let event = render(&filled_with(payload, 3));
        check_event(&event, payload);
        assert_eq!(event["payload"]["class"], "key.destroy_scheduled");
        assert_eq!(event["client_url"], "https://console.example/x");
    }
}

#[test]
fn nothing_is_too_long() {
    let emoji = "\u{1f511}".repeat(2_560);
    let long = "x".repeat(100_000);
    for text in [emoji.as_str(), &long, "", " ", "\u{200b}"] {
        for rows in [0, 1, 60] {
            let name = format!("{} x {rows}", text.chars().take(4).collect::<String>());
            let event = render(&filled_with(text, rows));
            check_event(&event, &name);
            let details = event["payload"]["custom_details"].as_object().unwrap();
            for field in ["02_who", "03_key_and_data", "07_do_next"] {
                assert_eq!(details.contains_key(field), rows > 0, "{name}: {field}");
            }
        }
    }
    let huge = render(&filled_with(&emoji, 60));
    assert!(
        huge["payload"]["custom_details"]["08_controls"].is_null(),
        "the least important went first"
    );
    assert!(huge["links"].is_null());
}

#[test]
fn secrets_are_not_rendered() {
    let receiver = pagerduty("https://events.pagerduty.com/v2/enqueue");
    let text = receiver.render(&deletion());
    assert!(
        text.contains(r#""routing_key":"****""#) && !text.contains(KEY),
        "{text}"
    );
}

#[tokio::test]
async fn answers_become_classes() {
    let throttled = |seconds| FailureClass::Throttled(Some(Duration::from_secs(seconds)));
    for (status, headers, body, expected) in [
        (202, "", r#"{"status":"success"}"#, Ok(())),
        (200, "", "ok", Err(FailureClass::Unreadable)),
        (400, "", "invalid event", Err(FailureClass::Permanent)),
        (401, "", "", Err(FailureClass::Unauthenticated)),
        (403, "", "", Err(FailureClass::Denied)),
        (404, "", "", Err(FailureClass::Permanent)),
        (413, "", "", Err(FailureClass::Permanent)),
        (429, "retry-after: 60\r\n", "", Err(throttled(60))),
        (429, "", "", Err(FailureClass::Throttled(None))),
        (500, "", "", Err(FailureClass::Transient)),
        (502, "", "", Err(FailureClass::Transient)),
    ] {
        let (address, mut requests) = serve(Answer::Reply(status, headers, body)).await;
        let receiver = pagerduty(&format!("{address}/v2/enqueue"));
        let notification = deletion();
        let result = receiver
            .notify(&call(Duration::from_secs(20)), &notification)
            .await;
        assert_eq!(result.map_err(|error| error.class), expected, "{status}");
        let request = requests.recv().await.unwrap();
        assert!(request.starts_with("POST /v2/enqueue HTTP/1.1\r\n"), "{request}");
        assert_eq!(
            body_of(&request).replace(KEY, "****"),
            receiver.render(&notification)
        );
        assert!(body_of(&request).contains(KEY));
    }
}

#[tokio::test]
async fn an_answer_that_echoes_the_key_does_not_leak_it() {
    const ECHO: &str = r#"{"error":"unknown key 0123456789abcdef0123456789ABCDEF"}"#;
    let (address, _requests) = serve(Answer::Reply(400, "", ECHO)).await;
    let notification = deletion();
    let error = pagerduty(&address)
        .notify(&call(Duration::from_secs(20)), &notification)
        .await
        .unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(
        !shown.contains(KEY) && shown.contains("unknown key ****"),
        "{shown}"
    );
}

#[test]
fn bad_settings_are_refused() {
    let url = "https://events.pagerduty.com/v2/enqueue";
    for (key, url, start) in [
        ("short", url, "routing_key: "),
        ("0123456789abcdef0123456789abcde!", url, "routing_key: "),
        (KEY, "http://events.pagerduty.com/v2/enqueue", "url: "),
        (KEY, "https://metadata.google.internal/", "url: "),
    ] {
        let problem = PagerDuty::new("p".into(), &Secret::new(key), url, client())
            .err()
            .unwrap();
        let shown = format!("{problem} {problem:?}");
        assert!(shown.starts_with(start) && !shown.contains(key), "{shown}");
    }
}
