//! The twelve fields as an event of the Events API v2, within its limits: 1024 characters of summary, 512 KB in all.

use keyvigil_model::alert::{Message, Notification, NotifyAction, NotifyReason, dedup_key, label};
use keyvigil_model::severity::Severity;
use keyvigil_model::untrusted::Untrusted;
use serde_json::{Map, Value, json};

use crate::address::is_safe_address;

/// The whole body, in bytes. Documented: 512 KB; what that counts is not, so the smaller meaning holds.
const TOTAL: usize = 512_000;
/// Documented limit of the summary, in characters.
const SUMMARY: usize = 1024;

/// When the event is too large, the least important fields go first, then values shrink. Who, which key and what to do
/// are on every level.
const LEVELS: [Level; 3] = [
    Level {
        value: 2000,
        rows: 50,
        extras: Extras::Shown,
    },
    Level {
        value: 2000,
        rows: 50,
        extras: Extras::Dropped,
    },
    Level {
        value: 300,
        rows: 20,
        extras: Extras::Dropped,
    },
];

#[derive(Clone, Copy)]
struct Level {
    value: usize,
    rows: usize,
    extras: Extras,
}

/// Where from, whether it is normal, requirements, links: the fields that go first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extras {
    Shown,
    Dropped,
}

/// The body of the request: as much as fits.
pub(super) fn body(notification: &Notification, routing_key: &str) -> String {
    let mut fitting = String::new();
    for level in &LEVELS {
        fitting = event(notification, routing_key, level).to_string();
        if fitting.len() <= TOTAL {
            break;
        }
    }
    fitting
}

fn event(notification: &Notification, routing_key: &str, level: &Level) -> Value {
    let mut event = json!({
        "routing_key": routing_key,
        "event_action": notification.action.as_str(),
        "dedup_key": dedup_key(notification.fingerprint, notification.episode),
    });
    match notification.action {
        // Only the key counts for a resolve; a payload would be ignored.
        NotifyAction::Resolve => return event,
        NotifyAction::Trigger => {}
    }
    event["client"] = "keyvigil".into();
    event["payload"] = payload(notification, level);
    if level.extras == Extras::Shown {
        let links: Vec<Value> = notification
            .message
            .links
            .iter()
            .take(level.rows)
            .filter(|(_, address)| is_safe_address(address))
            .map(|(text, address)| json!({ "href": address, "text": clean(text, level.value) }))
            .collect();
        if let Some(first) = links.first() {
            event["client_url"] = first["href"].clone();
            event["links"] = links.into();
        }
    }
    event
}

fn payload(notification: &Notification, level: &Level) -> Value {
    let message = &notification.message;
    let component = [label::ALIAS, label::KEY, label::RESOURCE]
        .into_iter()
        .find_map(|wanted| value(&message.subject, wanted));
    let account = value(&message.subject, label::ACCOUNT);
    let source = [label::KEY, label::RESOURCE, label::ACCOUNT]
        .into_iter()
        .find_map(|wanted| value(&message.subject, wanted));
    let mut payload = json!({
        "summary": summary(notification, component, account),
        "timestamp": message.event_time.to_string(),
        "severity": severity(notification.severity),
        "source": source.map_or_else(|| "keyvigil".to_owned(), |source| clean_untrusted(source, 500)),
        "class": lifecycle(message, label::RULE).unwrap_or("keyvigil"),
        "custom_details": details(notification, level),
    });
    if let Some(component) = component {
        payload["component"] = clean_untrusted(component, 500).into();
    }
    if let Some(account) = account {
        payload["group"] = clean_untrusted(account, 500).into();
    }
    payload
}

/// What is read out on the phone: how bad, what, which key, where, who.
fn summary(
    notification: &Notification,
    component: Option<&Untrusted>,
    account: Option<&Untrusted>,
) -> String {
    let message = &notification.message;
    let mark = match notification.reason {
        NotifyReason::Test => "[TEST] ",
        NotifyReason::Fallback => "[FALLBACK] ",
        NotifyReason::New
        | NotifyReason::Changed
        | NotifyReason::Repeat
        | NotifyReason::Resolved
        | NotifyReason::Reverted
        | NotifyReason::Excepted
        | NotifyReason::PossibleDuplicate => "",
    };
    let severity = notification.severity.as_str().to_uppercase();
    let mut summary = format!("{mark}[{severity}] {}", clean(&message.headline, 300));
    let parts = [
        (": ", component),
        (" in ", account),
        (" by ", value(&message.who, label::PRINCIPAL)),
    ];
    for (join, part) in parts {
        if let Some(part) = part {
            summary.push_str(join);
            summary.push_str(&clean_untrusted(part, 200));
        }
    }
    clean(&summary, SUMMARY - 1)
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "info",
    }
}

/// PagerDuty shows the keys in alphabetical order: the numbers make that the reading order.
fn details(notification: &Notification, level: &Level) -> Value {
    let message = &notification.message;
    let mut details = Map::new();
    let mut put = |key: &str, value: Value| {
        let empty = match &value {
            Value::String(text) => text.is_empty() || text == "-",
            Value::Array(list) => list.is_empty(),
            Value::Null => true,
            Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
        };
        if !empty {
            details.insert(key.to_owned(), value);
        }
    };
    put("01_what", clean_untrusted(&message.what, level.value).into());
    put("02_who", lines(&message.who, level));
    put("03_key_and_data", lines(&message.subject, level));
    if level.extras == Extras::Shown {
        put("04_from", lines(&message.from, level));
        put("05_normal", clean(&message.normal, level.value).into());
    }
    put("06_what_breaks", clean(&message.blast_radius, level.value).into());
    put("07_do_next", next_steps(message, level));
    if level.extras == Extras::Shown {
        let controls: Vec<String> = message
            .controls
            .iter()
            .take(level.rows)
            .map(|control| clean(control, level.value))
            .collect();
        put("08_controls", controls.into());
    }
    put(
        "09_times",
        json!({
            "event": message.event_time.to_string(),
            "alerted": message.alerted_at.to_string(),
        }),
    );
    let ids: Vec<String> = message
        .lifecycle
        .iter()
        .take(level.rows)
        .map(|(name, text)| format!("{name}: {}", clean(text, level.value)))
        .collect();
    put("10_ids", ids.into());
    Value::Object(details)
}

/// One entry for each value, so that no value can pass for another.
fn lines(rows: &[(&'static str, Untrusted)], level: &Level) -> Value {
    rows.iter()
        .take(level.rows)
        .map(|(name, value)| Value::from(format!("{name}: {}", clean_untrusted(value, level.value))))
        .collect()
}

fn next_steps(message: &Message, level: &Level) -> Value {
    let mut lines = Vec::new();
    for (index, step) in message.next_steps.iter().take(level.rows).enumerate() {
        lines.push(format!("{}. {}", index + 1, clean(&step.text, level.value)));
        if let Some(command) = &step.command {
            // A cut command must not be pasted, and one with invisible characters is not what it looks like.
            if command.len() <= 4_000 && clean(command, 4_000) == *command {
                lines.push(format!("[{}] {command}", step.effect.as_str()));
            } else {
                lines.push("The command is too long for this message: see the finding.".to_owned());
            }
        }
    }
    lines.into()
}

fn clean(text: &str, max_chars: usize) -> String {
    clean_untrusted(&Untrusted::from(text), max_chars)
}

fn clean_untrusted(text: &Untrusted, max_chars: usize) -> String {
    text.one_line(max_chars)
}

/// The first value with this label of which something can be seen: PagerDuty refuses a blank `source`, and whoever names
/// a resource must not be able to make its alert undeliverable.
fn value<'a>(rows: &'a [(&'static str, Untrusted)], wanted: &str) -> Option<&'a Untrusted> {
    rows.iter()
        .filter(|(name, _)| *name == wanted)
        .map(|(_, value)| value)
        .find(|value| !clean_untrusted(value, 500).trim().is_empty())
}

fn lifecycle<'a>(message: &'a Message, wanted: &str) -> Option<&'a str> {
    message
        .lifecycle
        .iter()
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value.as_str())
}
