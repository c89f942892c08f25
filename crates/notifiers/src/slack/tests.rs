//! What Slack gets, and what its answers mean.

use keyvigil_connector::failure::FailureClass;
use keyvigil_model::alert::{NotifyAction, NotifyReason};
use serde_json::Value;

use super::*;
use crate::fake_server::{Answer, body_of, call, client, serve};
use crate::samples::{
    MARK, acts_on_its_surroundings, deletion, filled_with, golden, hostile, reverted, rotation,
};

fn slack(url: &str) -> Slack {
    Slack::new("security".into(), &Secret::new(url), client()).unwrap()
}

fn render(notification: &Notification) -> Value {
    let text = slack("https://hooks.slack.com/services/T/B/x").render(notification);
    serde_json::from_str(&text).unwrap()
}

fn pretty(notification: &Notification) -> String {
    serde_json::to_string_pretty(&render(notification)).unwrap() + "\n"
}

#[test]
fn messages_look_as_agreed() {
    golden("slack/deletion.json", &pretty(&deletion()));
    golden("slack/rotation-repeat.json", &pretty(&rotation()));
    golden("slack/reverted.json", &pretty(&reverted()));
    let mut duplicate = deletion();
    duplicate.reason = NotifyReason::PossibleDuplicate;
    golden("slack/possible-duplicate.json", &pretty(&duplicate));
    golden(
        "slack/oversized.json",
        &pretty(&filled_with(&"x".repeat(10_000), 50)),
    );
}

#[test]
fn the_reason_is_visible() {
    for (action, reason, start) in [
        (NotifyAction::Trigger, NotifyReason::New, "CRITICAL · A key"),
        (NotifyAction::Trigger, NotifyReason::Changed, "CHANGED · CRITICAL"),
        (NotifyAction::Trigger, NotifyReason::Repeat, "REPEAT · CRITICAL"),
        (
            NotifyAction::Resolve,
            NotifyReason::Resolved,
            "RESOLVED · CRITICAL",
        ),
        (
            NotifyAction::Resolve,
            NotifyReason::Reverted,
            "REVERTED · CRITICAL",
        ),
        (
            NotifyAction::Resolve,
            NotifyReason::Excepted,
            "EXCEPTED · CRITICAL",
        ),
        (
            NotifyAction::Trigger,
            NotifyReason::PossibleDuplicate,
            "POSSIBLE DUPLICATE · CRITICAL",
        ),
        (
            NotifyAction::Resolve,
            NotifyReason::PossibleDuplicate,
            "POSSIBLE DUPLICATE · OVER · CRITICAL",
        ),
        (
            NotifyAction::Trigger,
            NotifyReason::Fallback,
            "FALLBACK · CRITICAL",
        ),
        (NotifyAction::Trigger, NotifyReason::Test, "TEST · CRITICAL"),
    ] {
        let body = render(&Notification {
            action,
            reason,
            ..deletion()
        });
        let header = body["blocks"][0]["text"]["text"].as_str().unwrap();
        assert!(header.starts_with(start), "{reason:?}: {header}");
        let text = body["text"].as_str().unwrap();
        assert!(text.starts_with(start) && text.contains("D-7f3a2b9c10"), "{text}");
        if !matches!(reason, NotifyReason::New | NotifyReason::Test) {
            let remark = body["blocks"][1]["elements"][0]["text"].as_str().unwrap();
            assert!(
                remark.contains("A-5f0c9d1e2b.1 (D-7f3a2b9c10)"),
                "{reason:?}: {remark}"
            );
        }
    }
}

/// Calls `visit` with every object and every string that is in one, with the object's type and the key.
fn walk(value: &Value, visit: &mut impl FnMut(&str, &str, &Value)) {
    match value {
        Value::Object(fields) => {
            let sort = fields.get("type").and_then(Value::as_str).unwrap_or("");
            for (key, field) in fields {
                visit(sort, key, field);
                walk(field, visit);
            }
        }
        Value::Array(list) => list.iter().for_each(|entry| walk(entry, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Slack's limits and the safety rules, for any message.
fn check_body(body: &Value, name: &str) {
    let blocks = body["blocks"].as_array().unwrap();
    assert!((1..=50).contains(&blocks.len()), "{name}");
    let json = body["blocks"].to_string();
    assert!(
        escape::cost_of(&json) <= 10_000,
        "{name}: {}",
        escape::cost_of(&json)
    );
    let header = blocks[0]["text"]["text"].as_str().unwrap();
    assert!(header.encode_utf16().count() <= 150, "{name}: {header}");
    for block in blocks {
        if block["type"] == "context" {
            assert!(block["elements"].as_array().unwrap().len() <= 10, "{name}");
        }
    }
    let text = body["text"].as_str().unwrap();
    let unescaped = text.replace("&lt;", "").replace("&gt;", "").replace("&amp;", "");
    assert!(
        !unescaped.contains(['<', '>', '&', '*', '~', '`']),
        "{name}: {text}"
    );
    assert!(text.len() <= 4_000, "{name}");
    walk(body, &mut |sort, key, field| {
        let Some(text) = field.as_str() else {
            return;
        };
        let plain = match (sort, key) {
            ("header" | "context" | "rich_text" | "rich_text_section" | "rich_text_preformatted", "type")
            | ("plain_text" | "text" | "link" | "date", "type")
            | ("link", "url")
            | ("date", "format" | "fallback") => false,
            ("plain_text" | "text" | "link", "text") => true,
            ("", "text") => true,
            other => panic!("{name}: {other:?} is not a place for text"),
        };
        assert!(!text.is_empty(), "{name}: empty {sort}.{key}");
        assert!(text.chars().count() <= 2_000, "{name}: {sort}.{key}");
        let foreign = text.contains(MARK);
        assert!(plain || !foreign, "{name}: attacker-chosen text in {sort}.{key}");
        let acting = text
            .chars()
            .any(|character| acts_on_its_surroundings(character) && (foreign || character != '\n'));
        assert!(!acting, "{name}: {text:?}");
    });
    walk(body, &mut |sort, key, field| {
        assert!(sort != "plain_text" || key != "emoji" || *field == Value::Bool(false));
    });
}

#[test]
fn hostile_names_stay_text() {
    let payloads = hostile();
    assert!(payloads.len() >= 200);
    for payload in &payloads {
        let body = render(&filled_with(payload, 3));
        check_body(&body, payload);
        // The text is shown, not swallowed: what is visible of it stands in the message as it is.
        let visible: String = payload
            .chars()
            .filter(|c| !acts_on_its_surroundings(*c))
            .collect();
        let mut shown = 0;
        walk(&body["blocks"], &mut |_, _, field| {
            shown += usize::from(field.as_str().is_some_and(|text| text.contains(visible.as_str())));
        });
        assert!(shown >= 10, "{payload:?} is shown {shown} times as {visible:?}");
    }
}

#[test]
fn nothing_is_too_long() {
    let emoji = "\u{1f511}".repeat(2_560);
    let zalgo = "e\u{301}\u{302}".repeat(2_000);
    let quotes = "\"\\".repeat(5_000);
    let long = "x".repeat(100_000);
    for text in [
        emoji.as_str(),
        &zalgo,
        &quotes,
        &long,
        "",
        " ",
        "\u{200b}",
        "\n\n\n",
    ] {
        for rows in [0, 1, 7, 100] {
            for reason in [
                NotifyReason::New,
                NotifyReason::PossibleDuplicate,
                NotifyReason::Resolved,
            ] {
                let mut one = filled_with(text, rows);
                one.reason = reason;
                let name = format!("{} x {rows}", text.chars().take(4).collect::<String>());
                let body = render(&one);
                check_body(&body, &name);
                let json = body["blocks"].to_string();
                for title in ["Who", "Which key and data", "Do next"] {
                    assert_eq!(json.contains(title), rows > 0, "{name}: {title}");
                }
            }
        }
    }
}

#[test]
fn a_command_is_whole_or_absent() {
    let mut one = deletion();
    for (command, shown) in [
        ("aws kms x".to_owned(), true),
        (format!("aws kms {}", "x".repeat(500)), true),
        (format!("aws kms {}", "x".repeat(5_000)), false),
        ("aws kms \u{202e}x".to_owned(), false),
        ("aws\nrm".to_owned(), false),
    ] {
        one.message.next_steps[0].command = Some(command.clone());
        let mut found = false;
        walk(&render(&one), &mut |sort, key, field| {
            if (sort, key) == ("text", "text") {
                let text = field.as_str().unwrap();
                found |= text == command;
                assert!(shown || !text.starts_with("aws kms"), "{text}");
            }
        });
        assert_eq!(found, shown, "{command}");
        one.message.next_steps.truncate(1);
    }
}

#[test]
fn only_safe_addresses_become_links() {
    for (address, linked) in [
        (
            "https://eu-west-1.console.aws.amazon.com/kms/home?region=x#/kms/keys/y",
            true,
        ),
        ("http://host.example/", false),
        ("javascript:alert(1)", false),
        ("https://host.example/|x", false),
        ("https://host.example/<x>", false),
        ("https://host.example/a b", false),
        ("https://host.example/\u{202e}", false),
        ("", false),
    ] {
        let mut one = deletion();
        one.message.links = vec![("Somewhere".to_owned(), address.to_owned())];
        let json = render(&one).to_string();
        assert_eq!(json.contains("\"link\""), linked, "{address}");
    }
}

#[tokio::test]
async fn answers_become_classes() {
    let throttled = |seconds| FailureClass::Throttled(Some(Duration::from_secs(seconds)));
    for (status, headers, body, expected) in [
        (200, "", "ok", Ok(())),
        (200, "", "ok\n", Ok(())),
        (200, "", "", Err(FailureClass::Unreadable)),
        (200, "", "<html>sign in</html>", Err(FailureClass::Unreadable)),
        (201, "", "ok", Err(FailureClass::Unreadable)),
        (302, "location: /x\r\n", "", Err(FailureClass::Permanent)),
        (400, "", "invalid_payload", Err(FailureClass::Permanent)),
        (403, "", "action_prohibited", Err(FailureClass::Denied)),
        (404, "", "channel_not_found", Err(FailureClass::Permanent)),
        (410, "", "channel_is_archived", Err(FailureClass::Permanent)),
        (429, "retry-after: 30\r\n", "rate_limited", Err(throttled(30))),
        (429, "", "", Err(FailureClass::Throttled(None))),
        (500, "", "rollup_error", Err(FailureClass::Transient)),
        (503, "", "", Err(FailureClass::Transient)),
    ] {
        let (address, mut requests) = serve(Answer::Reply(status, headers, body)).await;
        let slack = slack(&format!("{address}/services/T0/B0/SECRETSECRET"));
        let notification = deletion();
        let result = slack.notify(&call(Duration::from_secs(20)), &notification).await;
        let classes = result.as_ref().copied().map_err(|error| error.class);
        assert_eq!(classes, expected, "{status} {body}");
        if let Err(error) = result {
            let shown = format!("{error} {error:?}");
            assert!(
                shown.contains("slack:webhook") && !shown.contains("SECRETSECRET"),
                "{shown}"
            );
            assert!(
                body.is_empty() || status == 302 || shown.contains(body.trim()),
                "{shown}"
            );
        }
        let request = requests.recv().await.unwrap();
        assert!(
            request.starts_with("POST /services/T0/B0/SECRETSECRET HTTP/1.1\r\n"),
            "{request}"
        );
        assert_eq!(body_of(&request), slack.render(&notification));
    }
}

#[tokio::test]
async fn silence_is_transient() {
    let (address, mut requests) = serve(Answer::Silence).await;
    let notification = deletion();
    let error = slack(&address)
        .notify(&call(Duration::from_millis(200)), &notification)
        .await
        .unwrap_err();
    assert_eq!(error.class, FailureClass::Transient);
    assert!(
        requests.recv().await.is_some(),
        "it was sent: whether it arrived is not known"
    );
}

#[test]
fn bad_addresses_are_refused_when_configured() {
    for url in [
        "http://hooks.slack.com/x",
        "https://169.254.169.254/x",
        "hooks.slack.com",
        "",
    ] {
        let problem = Slack::new("s".into(), &Secret::new(url), client()).err().unwrap();
        assert!(problem.to_string().starts_with("webhook_url: "), "{problem}");
    }
    let receiver = slack("https://hooks.slack.com/services/T/B/x");
    assert_eq!(receiver.receiver().min_interval, Duration::from_secs(1));
    assert_eq!(receiver.receiver().on_ambiguous, OnAmbiguous::RepeatMarked);
}
