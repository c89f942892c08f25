//! The twelve fields as Block Kit, within Slack's limits.
//!
//! Attacker-chosen text stands only in `plain_text` objects and rich-text elements, where Slack reads no markup at all;
//! there is no `mrkdwn` object in the message.
//!
//! Limits (https://docs.slack.dev/reference/block-kit/blocks): 50 blocks, 150 characters in a header, 2000 in a context
//! element. The total is not documented; about 13 000 characters were refused (slackapi/bolt-js issue 2509), and less
//! with rich text (2867), so the blocks are kept under 10 000 characters of JSON.

use keyvigil_model::alert::{Message, NextStep, Notification, NotifyAction, NotifyReason, label};
use keyvigil_model::time::Timestamp;
use keyvigil_model::untrusted::Untrusted;
use serde_json::{Value, json};

use super::escape::{clip, cost_of, mrkdwn};
use crate::address::is_safe_address;

/// All blocks together, as JSON in ASCII.
const TOTAL: usize = 10_000;
/// A header (documented: 150).
const HEADER: usize = 150;

/// How much is shown. Who, which key and what to do are on every level.
#[derive(Clone, Copy)]
struct Level {
    /// An identifier of the principal, the key or the resource.
    id: usize,
    /// Any other value.
    value: usize,
    /// The summary.
    what: usize,
    /// A sentence of keyvigil's.
    sentence: usize,
    /// A longer command is left out: a cut one must not be pasted.
    command: usize,
    /// Steps.
    steps: usize,
    /// Values under one title.
    rows: usize,
    optional: Optional,
}

/// Fields that can be left out, the first ones first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Optional {
    /// Everything is shown.
    All,
    /// Without requirements and links.
    NoReferences,
    /// Also without where from and whether it is normal.
    Least,
}

const LEVELS: [Level; 4] = [
    Level {
        id: 400,
        value: 200,
        what: 800,
        sentence: 400,
        command: 600,
        steps: 8,
        rows: 12,
        optional: Optional::All,
    },
    Level {
        id: 300,
        value: 150,
        what: 500,
        sentence: 300,
        command: 500,
        steps: 5,
        rows: 10,
        optional: Optional::NoReferences,
    },
    Level {
        id: 200,
        value: 100,
        what: 300,
        sentence: 200,
        command: 400,
        steps: 4,
        rows: 8,
        optional: Optional::Least,
    },
    Level {
        id: 120,
        value: 60,
        what: 200,
        sentence: 120,
        command: 300,
        steps: 3,
        rows: 7,
        optional: Optional::Least,
    },
];

/// The body of the request: as much as fits.
pub(super) fn body(notification: &Notification) -> Value {
    let mut fitting = Vec::new();
    for level in &LEVELS {
        fitting = blocks(notification, level);
        if cost_of(&Value::from(fitting.clone()).to_string()) <= TOTAL {
            break;
        }
    }
    json!({
        "text": fallback(notification),
        "unfurl_links": false,
        "unfurl_media": false,
        "blocks": fitting,
    })
}

/// What is shown where blocks are not: notifications and search. It holds nothing that an attacker chose.
fn fallback(notification: &Notification) -> String {
    let alert = lifecycle(&notification.message, label::ALERT).unwrap_or("");
    let line = format!("{} ({}, {alert})", title(notification), notification.finding);
    mrkdwn(&clip(&line, 500))
}

/// The header line: what is unusual about the message, how bad, what.
fn title(notification: &Notification) -> String {
    let severity = notification.severity.as_str().to_uppercase();
    let mark = match notification.reason {
        NotifyReason::New => "",
        NotifyReason::Changed => "CHANGED · ",
        NotifyReason::Repeat => "REPEAT · ",
        NotifyReason::Resolved => "RESOLVED · ",
        NotifyReason::Reverted => "REVERTED · ",
        NotifyReason::Excepted => "EXCEPTED · ",
        NotifyReason::PossibleDuplicate => "POSSIBLE DUPLICATE · ",
        NotifyReason::Fallback => "FALLBACK · ",
        NotifyReason::Test => "TEST · ",
    };
    let over = match (notification.action, notification.reason) {
        (NotifyAction::Resolve, NotifyReason::Resolved | NotifyReason::Reverted | NotifyReason::Excepted)
        | (NotifyAction::Trigger, _) => "",
        (NotifyAction::Resolve, _) => "OVER · ",
    };
    format!("{mark}{over}{severity} · {}", notification.message.headline)
}

/// One sentence under the header for messages that are not simply news.
fn remark(notification: &Notification) -> Option<String> {
    let alert = lifecycle(&notification.message, label::ALERT).unwrap_or("the alert");
    let finding = &notification.finding;
    Some(match notification.reason {
        NotifyReason::New => return None,
        NotifyReason::Changed => format!("The severity rose. This is about {alert} ({finding})."),
        NotifyReason::Repeat => format!("Still open. This repeats {alert} ({finding})."),
        NotifyReason::Resolved | NotifyReason::Reverted | NotifyReason::Excepted => {
            let why = lifecycle(&notification.message, label::CLOSED_BECAUSE).unwrap_or("");
            format!("This ends {alert} ({finding}): {why}")
        }
        NotifyReason::PossibleDuplicate => format!(
            "It is not known whether this message arrived before: it may repeat what was said about {alert} ({finding})."
        ),
        NotifyReason::Fallback => {
            let receiver = lifecycle(&notification.message, label::INSTEAD_OF).unwrap_or("another receiver");
            format!("Sent here because {receiver} could not be reached. This is about {alert} ({finding}).")
        }
        NotifyReason::Test => "A test of this receiver; nothing happened.".to_owned(),
    })
}

fn blocks(notification: &Notification, level: &Level) -> Vec<Value> {
    let message = &notification.message;
    let mut blocks = vec![json!({
        "type": "header",
        "text": plain(&clip(&title(notification), HEADER)),
    })];
    if let Some(remark) = remark(notification) {
        blocks.push(json!({ "type": "context", "elements": [plain(&clip(&remark, 400))] }));
    }
    let mut parts = vec![section(vec![text(&clip(message.what.raw(), level.what))])];
    rows("Who", &message.who, level, &mut parts);
    rows("Which key and data", &message.subject, level, &mut parts);
    if level.optional < Optional::Least {
        rows("From where", &message.from, level, &mut parts);
        sentence("Is it normal?", &message.normal, level, &mut parts);
    }
    sentence("What breaks", &message.blast_radius, level, &mut parts);
    parts.push(when(message));
    blocks.push(rich_text(parts));
    if !message.next_steps.is_empty() {
        blocks.push(rich_text(next_steps(&message.next_steps, level)));
    }
    if level.optional < Optional::NoReferences {
        blocks.extend(links(&message.links));
    }
    blocks.push(footer(message, level));
    blocks
}

fn plain(content: &str) -> Value {
    json!({ "type": "plain_text", "text": content, "emoji": false })
}

fn text(content: &str) -> Value {
    json!({ "type": "text", "text": content })
}

fn bold(content: &str) -> Value {
    json!({ "type": "text", "text": content, "style": { "bold": true } })
}

fn section(elements: Vec<Value>) -> Value {
    json!({ "type": "rich_text_section", "elements": elements })
}

fn rich_text(elements: Vec<Value>) -> Value {
    json!({ "type": "rich_text", "elements": elements })
}

fn rows(title: &str, rows: &[(&'static str, Untrusted)], level: &Level, parts: &mut Vec<Value>) {
    if rows.is_empty() {
        return;
    }
    let mut elements = vec![bold(&format!("\n{title}"))];
    for (name, value) in rows.iter().take(level.rows) {
        let room = match *name {
            label::PRINCIPAL | label::KEY | label::RESOURCE => level.id,
            _ => level.value,
        };
        elements.push(text(&format!("\n{name}: ")));
        elements.push(json!({
            "type": "text",
            "text": clip(value.raw(), room),
            "style": { "code": true },
        }));
    }
    parts.push(section(elements));
}

fn sentence(title: &str, content: &str, level: &Level, parts: &mut Vec<Value>) {
    if !content.is_empty() {
        parts.push(section(vec![
            bold(&format!("\n{title}\n")),
            text(&clip(content, level.sentence)),
        ]));
    }
}

/// The event time in the reader's own time zone and in UTC.
fn when(message: &Message) -> Value {
    let latency = lifecycle(message, label::LATENCY)
        .map(|span| format!(", alerted {} later", clip(span, 40)))
        .unwrap_or_default();
    section(vec![
        bold("\nWhen\n"),
        date(message.event_time),
        text(&format!(" ({}{latency})", message.event_time)),
    ])
}

fn date(time: Timestamp) -> Value {
    json!({
        "type": "date",
        "timestamp": time.as_secs(),
        "format": "{date_num} {time_secs}",
        "fallback": time.to_string(),
    })
}

fn next_steps(steps: &[NextStep], level: &Level) -> Vec<Value> {
    let mut parts = vec![section(vec![bold("Do next")])];
    for (index, step) in steps.iter().take(level.steps).enumerate() {
        let effect = step.effect.as_str();
        let line = clip(&step.text, level.sentence);
        let Some(command) = &step.command else {
            parts.push(section(vec![text(&format!("{}. {line}", index + 1))]));
            continue;
        };
        parts.push(section(vec![
            text(&format!("{}. {line} ", index + 1)),
            bold(&format!("({effect})")),
        ]));
        if cost_of(command) <= level.command && clip(command, level.command) == *command {
            parts.push(json!({ "type": "rich_text_preformatted", "elements": [text(command)] }));
        } else {
            parts.push(section(vec![text(
                "The command is too long for this message: see the finding.",
            )]));
        }
    }
    parts
}

fn links(links: &[(String, String)]) -> Option<Value> {
    let mut elements: Vec<Value> = Vec::new();
    for (name, address) in links.iter().take(8) {
        if !is_safe_address(address) {
            continue;
        }
        if !elements.is_empty() {
            elements.push(text(" · "));
        }
        elements.push(json!({ "type": "link", "url": address, "text": clip(name, 80) }));
    }
    (!elements.is_empty()).then(|| rich_text(vec![section(elements)]))
}

/// Requirements and the life of the alert, in small print.
fn footer(message: &Message, level: &Level) -> Value {
    let mut elements = Vec::new();
    let cycle: Vec<String> = message
        .lifecycle
        .iter()
        .map(|(name, value)| format!("{name}: {}", clip(value, level.value)))
        .collect();
    elements.push(plain(&clip(&cycle.join(" · "), 1_500)));
    if level.optional < Optional::NoReferences && !message.controls.is_empty() {
        elements.push(plain(&clip(&message.controls.join(" · "), 600)));
    }
    json!({ "type": "context", "elements": elements })
}

fn lifecycle<'a>(message: &'a Message, wanted: &str) -> Option<&'a str> {
    message
        .lifecycle
        .iter()
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value.as_str())
}
