//! config/keyvigil.toml: the commented example. Nothing in it is switched on, so it is the default configuration; with
//! every key switched on it is valid too, and both are checked before it is written.

use std::path::Path;

use anyhow::{Context, Result, bail};
use keyvigil::config;
use serde_json::Value;

use crate::schema::{Entry, OneValue, Shape};

const WIDTH: usize = 110;

const INTRODUCTION: &str = "\
# keyvigil's configuration. Generated from the code by `cargo xtask gen`; every key: docs/configuration.md.
#
# Everything has a default, except for what describes your accounts and receivers: as it stands this file is valid and
# watches nothing. A line that starts with `#` and a key shows the default, or an example where there is none: take the
# `#` away to set it. To begin: one [[slack]] or [[pagerduty]], one [[aws.accounts]], and one [[aws.trails]] if log files
# lie in a bucket. Then run `keyvigil config validate` and `keyvigil doctor`.
";

/// The order of the file; a new table at the top must be put somewhere by a person.
const ORDER: &[&str] = &[
    "daemon",
    "admin",
    "slack",
    "pagerduty",
    "alerts",
    "aws",
    "folders",
    "polling",
    "policy",
];

/// Values for keys that have no default, or an empty one that shows nothing.
const EXAMPLES: &[(&str, &str)] = &[
    ("slack.name", "\"security\""),
    ("slack.webhook_url", "{ file = \"/etc/keyvigil/slack-webhook\" }"),
    ("slack.checks", "[\"key.*\", \"audit.*\"]"),
    ("pagerduty.name", "\"on-call\""),
    (
        "pagerduty.routing_key",
        "{ file = \"/etc/keyvigil/pagerduty-key\" }",
    ),
    ("pagerduty.checks", "[\"*\"]"),
    ("pagerduty.url", "\"https://relay.example.com/v2/enqueue\""),
    ("alerts.fallback", "\"security\""),
    ("alerts.runbooks_url", "\"https://runbooks.example.com/\""),
    ("aws.accounts.name", "\"production\""),
    ("aws.accounts.account_id", "\"111122223333\""),
    ("aws.accounts.regions", "[\"eu-west-1\", \"us-east-1\"]"),
    (
        "aws.accounts.role_arn",
        "\"arn:aws:iam::111122223333:role/keyvigil\"",
    ),
    ("aws.accounts.external_id", "\"the-id-in-the-trust-policy\""),
    ("aws.accounts.profile", "\"keyvigil\""),
    ("aws.accounts.endpoint_url", "\"http://127.0.0.1:5000\""),
    ("aws.trails.name", "\"organisation\""),
    ("aws.trails.bucket", "\"example-cloudtrail\""),
    (
        "aws.trails.queue_url",
        "\"https://sqs.eu-west-1.amazonaws.com/111122223333/cloudtrail\"",
    ),
    ("aws.trails.region", "\"eu-west-1\""),
    ("aws.trails.account", "\"production\""),
    ("aws.trails.prefix", "\"logs\""),
    ("aws.trails.accounts", "[\"111122223333\", \"444455556666\"]"),
    ("aws.trails.organization", "\"o-exampleorgid\""),
    ("aws.trails.regions", "[\"eu-west-1\", \"us-east-1\"]"),
    ("aws.trails.endpoint_url", "\"http://127.0.0.1:5000\""),
    ("folders.name", "\"archive\""),
    ("folders.path", "\"/var/log/cloudtrail\""),
    ("policy.approved_regions", "[\"eu-west-1\", \"eu-central-1\"]"),
    ("policy.critical_keys", "[\"alias/customer-*\"]"),
    ("policy.service_principals", "[\"arn:aws:iam::*:role/backup-*\"]"),
    (
        "policy.organisation.accounts",
        "[\"111122223333\", \"444455556666\"]",
    ),
    ("policy.organisation.ids", "[\"o-exampleorgid\"]"),
    ("policy.partners.account", "\"777788889999\""),
    ("policy.partners.name", "\"Example Payments Ltd\""),
    ("policy.partners.owner", "\"team-payments\""),
    ("policy.partners.expires", "\"2027-12-31\""),
    ("policy.authorised.keys", "[\"alias/customer-*\"]"),
    (
        "policy.authorised.principals",
        "[\"arn:aws:iam::111122223333:role/payments-*\"]",
    ),
    (
        "policy.authorised.operations",
        "[\"key.decrypt\", \"key.data_key\"]",
    ),
    ("policy.decoys.keys", "[\"alias/legacy-backup\"]"),
    ("policy.decoys.secrets", "[\"prod/root-password\"]"),
    ("policy.decoys.scanners", "[\"arn:aws:iam::*:role/keyvigil\"]"),
    ("policy.exceptions.id", "\"EX-2027-001\""),
    ("policy.exceptions.checks", "[\"aws.kms.rotation_enabled\"]"),
    ("policy.exceptions.accounts", "[\"111122223333\"]"),
    (
        "policy.exceptions.principals",
        "[\"arn:aws:iam::111122223333:role/legacy\"]",
    ),
    ("policy.exceptions.keys", "[\"alias/legacy-*\"]"),
    ("policy.exceptions.resources", "[\"arn:aws:s3:::example-legacy\"]"),
    ("policy.exceptions.owner", "\"team-legacy\""),
    ("policy.exceptions.approved_by", "\"security-officer\""),
    (
        "policy.exceptions.reason",
        "\"retired on 2027-06-30; its data is deleted with it\"",
    ),
    ("policy.exceptions.ticket", "\"SEC-123\""),
    ("policy.exceptions.expires", "\"2027-07-01\""),
    ("policy.silence.sources.source", "\"aws/organisation/*\""),
    ("policy.silence.sources.minutes", "90"),
];

/// The file, once it is certain that it is valid as it stands and with everything in it switched on.
pub(crate) fn checked(entries: &[Entry]) -> Result<String> {
    let text = file(entries)?;
    for (form, text) in [
        ("as it stands", text.clone()),
        ("switched on", switched_on(&text)),
    ] {
        if let Err(bad) = config::parse(Path::new("config/keyvigil.toml"), &text) {
            bail!("the example is not valid {form}: {bad}");
        }
    }
    Ok(text)
}

/// The same file with every key and table in effect.
fn switched_on(text: &str) -> String {
    let mut on = String::new();
    for line in text.lines() {
        let bare = line.strip_prefix('#').filter(|rest| !rest.starts_with(' '));
        on.push_str(bare.unwrap_or(line));
        on.push('\n');
    }
    on
}

fn file(entries: &[Entry]) -> Result<String> {
    let mut text = INTRODUCTION.to_owned();
    for name in ORDER {
        let entry = entries
            .iter()
            .find(|entry| entry.name == *name)
            .with_context(|| format!("there is no table {name}"))?;
        section(name, entry, Around::Nothing, &mut text)?;
    }
    if let Some(forgotten) = entries.iter().find(|entry| !ORDER.contains(&entry.name.as_str())) {
        bail!("put `{}` into the order of the example", forgotten.name);
    }
    Ok(text)
}

/// What a table lies in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    /// Nothing that is switched off.
    Nothing,
    /// An example that is switched off, such as one account.
    Example,
}

fn section(path: &str, entry: &Entry, around: Around, text: &mut String) -> Result<()> {
    let (heading, keys) = match &entry.shape {
        // Its heading alone changes nothing, and without it a key that is switched on would land elsewhere.
        Shape::Table(keys) if around == Around::Nothing => (format!("[{path}]"), keys),
        Shape::Table(keys) => (format!("#[{path}]"), keys),
        Shape::Tables(keys) => (format!("#[[{path}]]"), keys),
        Shape::Value(_) => return Ok(()),
    };
    text.push('\n');
    comment(&entry.doc, text);
    text.push_str(&heading);
    text.push('\n');
    for key in keys {
        if let Shape::Value(value) = &key.shape {
            comment(&explained(key, value), text);
            let shown = shown(&format!("{path}.{}", key.name), value)?;
            text.push_str(&format!("#{} = {shown}\n", key.name));
        }
    }
    let around = match &entry.shape {
        Shape::Tables(_) => Around::Example,
        Shape::Table(_) | Shape::Value(_) => around,
    };
    for key in keys {
        section(&format!("{path}.{}", key.name), key, around, text)?;
    }
    Ok(())
}

/// The meaning, with the default where the line below shows an example instead, and the choices.
fn explained(key: &Entry, value: &OneValue) -> String {
    let mut doc = key.doc.clone();
    let is_choice = value.accepted.starts_with('`') && !value.accepted.contains("`true`");
    if is_choice && value.accepted.contains(", ") && !doc.contains('`') {
        doc.push_str(&format!(" One of {}.", value.accepted));
    }
    let said = doc.contains("Default") || doc.contains("Empty:") || doc.contains("Without it");
    match &value.default {
        None => doc.push_str(" Required."),
        Some(Value::Null) if !said => doc.push_str(" Default: none."),
        Some(Value::Array(items)) if items.is_empty() && !said => doc.push_str(" Default: none."),
        Some(_) => {}
    }
    doc
}

fn shown(path: &str, value: &OneValue) -> Result<String> {
    if let Some((_, example)) = EXAMPLES.iter().find(|(known, _)| *known == path) {
        return Ok((*example).to_owned());
    }
    match &value.default {
        None | Some(Value::Null) => bail!("{path} needs an example in examples/generate/example_file.rs"),
        // JSON and TOML write text, numbers, booleans and lists of them alike.
        Some(Value::Array(items)) => {
            let items: Vec<String> = items.iter().map(Value::to_string).collect();
            Ok(format!("[{}]", items.join(", ")))
        }
        Some(default) => Ok(default.to_string()),
    }
}

/// Wraps text into comment lines.
fn comment(doc: &str, text: &mut String) {
    let mut line = String::from("#");
    for word in doc.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}
