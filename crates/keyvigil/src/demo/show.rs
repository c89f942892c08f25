//! What the demo prints: the story, and the messages as they reached Slack and PagerDuty.

use std::io::{self, Write};
use std::path::Path;

use keyvigil_model::untrusted::Untrusted;
use keyvigil_testkit::aws::FakeAws;
use keyvigil_testkit::pagerduty::FakePagerDuty;
use keyvigil_testkit::slack::FakeSlack;
use serde_json::Value;

const WIDTH: usize = 110;

/// How much was shown already.
#[derive(Default)]
pub(super) struct Shown {
    slack: usize,
    incidents: usize,
}

impl Shown {
    /// Prints what arrived since the last time.
    pub(super) fn new_messages(
        &mut self,
        out: &mut dyn Write,
        slack: &FakeSlack,
        pagerduty: &FakePagerDuty,
    ) -> io::Result<()> {
        let messages = slack.messages();
        for message in &messages[self.slack..] {
            writeln!(out, "  ┌─ Slack #security")?;
            for line in slack_lines(message) {
                writeln!(out, "  │ {line}")?;
            }
            writeln!(out, "  └─")?;
        }
        self.slack = messages.len();
        let incidents = pagerduty.incidents();
        for incident in &incidents[self.incidents..] {
            let summary = incident
                .opened_by
                .pointer("/payload/summary")
                .and_then(Value::as_str)
                .unwrap_or_default();
            writeln!(out, "  ☎  PagerDuty opens an incident: {}", plain(summary))?;
        }
        self.incidents = incidents.len();
        Ok(())
    }
}

/// The first lines of the demo.
pub(super) fn introduction(config_file: &Path) -> String {
    format!(
        "keyvigil demo: the daemon as it is, on a made-up company in a made-up AWS on this machine.\n\
         Its configuration, as an operator would write it: {}\n",
        config_file.display()
    )
}

/// The head of a chapter.
pub(super) fn chapter(title: &str, story: &str) -> String {
    format!(
        "\n── {title} {}\n   {story}\n",
        "─".repeat(WIDTH.saturating_sub(title.chars().count() + 4))
    )
}

/// PagerDuty's view at the end.
pub(super) fn incidents(pagerduty: &FakePagerDuty) -> String {
    let incidents = pagerduty.incidents();
    let mut text = chapter(
        "PagerDuty now",
        "One incident for each thing that is wrong, however many events it has.",
    );
    for incident in &incidents {
        let state = if incident.open { "open  " } else { "closed" };
        let summary = incident
            .opened_by
            .pointer("/payload/summary")
            .and_then(Value::as_str)
            .unwrap_or_default();
        text.push_str(&format!("  {state}  {}\n", plain(summary)));
    }
    text
}

/// That nothing was changed.
pub(super) fn read_only(aws: &FakeAws) -> String {
    let requests = aws.requests();
    let mut operations: Vec<&str> = requests
        .iter()
        .map(|request| request.operation.as_str())
        .collect();
    let total = operations.len();
    operations.sort_unstable();
    operations.dedup();
    let changing: Vec<&str> = operations
        .iter()
        .copied()
        .filter(|name| {
            !["Get", "List", "Describe", "Lookup", "Generate"]
                .iter()
                .any(|word| name.contains(&format!(":{word}")))
        })
        .collect();
    format!(
        "\nkeyvigil made {total} calls of {} kinds to the made-up AWS. All of them read, but for its own queue: {}\n",
        operations.len(),
        changing.join(", ")
    )
}

/// Where to look next.
pub(super) fn conclusion(metrics: &str, config_file: &Path, staying: bool) -> String {
    let mut text = String::from(
        "\nWhere to look next\n  keyvigil replay PATH          the same rules on your own CloudTrail files: no account, no configuration\n  \
         keyvigil rules list           every rule and control\n  keyvigil config example       a commented configuration\n  keyvigil doctor               what its permissions let it see\n",
    );
    if staying {
        text.push_str(&format!(
            "\nStill running (Ctrl-C ends it)\n  {metrics}/metrics\n  {metrics}/readyz\n  keyvigil findings --config {}\n",
            config_file.display()
        ));
    } else {
        text.push_str(&format!(
            "  keyvigil demo --stay          keeps running, with metrics (this time they were at {metrics}/metrics)\n"
        ));
    }
    text
}

/// A Slack message as lines of text.
fn slack_lines(message: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for block in message
        .get("blocks")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        match block.get("type").and_then(Value::as_str) {
            Some("header") => {
                let text = texts(block).concat();
                lines.push(plain(&text));
                lines.push("═".repeat(text.chars().count().min(WIDTH)));
            }
            Some("section") => {
                for field in block
                    .get("fields")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                {
                    let text = texts(field).concat();
                    let (label, value) = text.split_once('\n').unwrap_or(("", &text));
                    lines.extend(wrapped(&format!("{label:<14}{}", value.replace('\n', " · "))));
                }
                if let Some(text) = block.get("text") {
                    lines.extend(texts(text).concat().lines().flat_map(wrapped));
                }
            }
            Some("rich_text") => {
                for element in block
                    .get("elements")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                {
                    let text = texts(element).concat();
                    lines.extend(text.lines().flat_map(wrapped));
                }
            }
            Some("context") => lines.extend(wrapped(&texts(block).join(" "))),
            _ => {}
        }
    }
    lines
}

/// Every text inside a block, in order.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => match members.get("text") {
            Some(Value::String(text)) => vec![text.clone()],
            _ => members
                .iter()
                .filter(|(name, _)| *name != "type")
                .flat_map(|(_, member)| texts(member))
                .collect(),
        },
        Value::Array(list) => list.iter().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn wrapped(line: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut current = String::new();
    for word in plain(line).split(' ') {
        if !current.is_empty() && current.chars().count() + word.chars().count() >= WIDTH {
            lines.push(std::mem::take(&mut current));
            current.push_str("    ");
        } else if !current.is_empty() {
            current.push(' ');
        }
        current.push_str(word);
    }
    lines.push(current);
    lines
}

/// Text for a terminal: nothing in it that a terminal would obey.
fn plain(text: &str) -> String {
    Untrusted::from(text).one_line(4_000)
}
