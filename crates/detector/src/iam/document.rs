//! The parsed form of an AWS policy document. What cannot be read makes the whole document unreadable: a part of a
//! policy proves nothing.

use serde_json::Value;

use super::operator::Operator;
use super::pattern;

/// Larger documents are not read. The largest that AWS accepts (a key policy) has 32 KiB.
const MAX_BYTES: usize = 256 * 1024;

/// Longer names of actions and resources are not read. ARNs have at most 2048 characters.
const MAX_ENTRY: usize = 2048;

/// A policy document.
#[derive(Debug)]
pub(crate) struct Document {
    /// Its statements, in order.
    pub statements: Vec<Statement>,
}

/// One statement.
#[derive(Debug)]
pub(crate) struct Statement {
    /// Its `Sid` if that is plain text, otherwise `#` and its position from 1.
    pub label: String,
    /// Allow or deny.
    pub effect: Effect,
    /// Whom it concerns.
    pub who: Who,
    /// Which actions, in lower case.
    pub actions: Patterns,
    /// Which resources.
    pub resources: Patterns,
    /// All of them must hold.
    pub conditions: Vec<Condition>,
}

/// Allow or deny.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// Gives.
    Allow,
    /// Takes away, whatever else gives.
    Deny,
}

/// The `Principal` or `NotPrincipal` of a statement.
#[derive(Debug)]
pub(crate) enum Who {
    /// Neither is there: an identity policy, which concerns the identity that it is attached to.
    Bearer,
    /// `Principal`.
    Listed(Vec<Name>),
    /// `NotPrincipal`.
    AllBut(Vec<Name>),
}

/// One name in a `Principal`.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Name {
    /// `*`.
    Everyone,
    /// An account: its number, or the ARN of its root.
    Account(String),
    /// A user, role or session of an account.
    Identity {
        /// The account.
        account: String,
        /// The ARN as written.
        arn: String,
    },
    /// A service of AWS.
    Service(String),
    /// An identity provider.
    Federated(String),
    /// A canonical user id of S3, which does not say its account.
    Canonical(String),
    /// The unique id that AWS puts in place of a user or role that was deleted: it matches nobody.
    Deleted,
    /// None of the known shapes.
    Unreadable(String),
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Debug)]
pub(crate) struct Patterns {
    /// Whether everything but the list is meant.
    pub except: bool,
    /// The list, as written (actions in lower case).
    pub list: Vec<String>,
}

impl Patterns {
    /// Whether the text is meant.
    pub(crate) fn cover(&self, text: &str) -> bool {
        self.list.iter().any(|entry| pattern::wildcard(entry, text)) != self.except
    }
}

/// One key of a condition block under one operator.
#[derive(Debug)]
pub(crate) struct Condition {
    /// How values are compared.
    pub operator: Operator,
    /// The condition key in lower case: AWS compares the names of condition keys without regard to case.
    pub key: String,
    /// The values to compare with.
    pub values: Vec<String>,
}

/// Why a document could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the policy cannot be read: {0}")]
pub struct Unreadable(pub(crate) String);

fn unreadable<T>(why: impl Into<String>) -> Result<T, Unreadable> {
    Err(Unreadable(why.into()))
}

/// Reads a document, percent-encoded or not.
pub(crate) fn parse(text: &str) -> Result<Document, Unreadable> {
    if text.len() > MAX_BYTES {
        return unreadable(format!("it is larger than {MAX_BYTES} bytes"));
    }
    let trimmed = text.trim_start();
    let decoded;
    let json = if trimmed.starts_with('%') {
        decoded = percent_decode(trimmed)?;
        &decoded
    } else {
        trimmed
    };
    let value: Value = match serde_json::from_str(json) {
        Ok(value) => value,
        Err(error) => return unreadable(format!("it is not JSON (line {})", error.line())),
    };
    let Value::Object(fields) = &value else {
        return unreadable("it is not a JSON object");
    };
    let Some(statement) = fields.get("Statement") else {
        return unreadable("it has no Statement");
    };
    let list = match statement {
        Value::Array(list) => list.as_slice(),
        Value::Object(_) => std::slice::from_ref(statement),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return unreadable("Statement is neither an object nor a list");
        }
    };
    let mut statements = Vec::with_capacity(list.len());
    for (index, value) in list.iter().enumerate() {
        statements.push(parse_statement(index, value)?);
    }
    Ok(Document { statements })
}

fn percent_decode(text: &str) -> Result<String, Unreadable> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(byte) = bytes.get(index) {
        if *byte != b'%' {
            decoded.push(*byte);
            index += 1;
            continue;
        }
        let digits = text
            .get(index + 1..index + 3)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let Some(value) = digits else {
            return unreadable("its percent-encoding is broken");
        };
        decoded.push(value);
        index += 3;
    }
    String::from_utf8(decoded).or_else(|_| unreadable("its percent-encoding is not UTF-8"))
}

fn parse_statement(index: usize, value: &Value) -> Result<Statement, Unreadable> {
    let position = index + 1;
    let Value::Object(fields) = value else {
        return unreadable(format!("statement #{position} is not an object"));
    };
    for key in fields.keys() {
        if !KNOWN_FIELDS.contains(&key.as_str()) {
            return unreadable(format!("statement #{position} has a field that is not known"));
        }
    }
    let effect = match fields.get("Effect").and_then(Value::as_str) {
        Some("Allow") => Effect::Allow,
        Some("Deny") => Effect::Deny,
        Some(_) | None => return unreadable(format!("statement #{position} has no valid Effect")),
    };
    let who = match (fields.get("Principal"), fields.get("NotPrincipal")) {
        (None, None) => Who::Bearer,
        (Some(value), None) => Who::Listed(parse_names(position, value)?),
        (None, Some(value)) => Who::AllBut(parse_names(position, value)?),
        (Some(_), Some(_)) => {
            return unreadable(format!("statement #{position} has Principal and NotPrincipal"));
        }
    };
    let Some(mut actions) = parse_patterns(position, fields, "Action", "NotAction")? else {
        return unreadable(format!("statement #{position} has no Action"));
    };
    for action in &mut actions.list {
        action.make_ascii_lowercase();
    }
    // Trust policies have no Resource; elsewhere AWS insists on it.
    let resources = parse_patterns(position, fields, "Resource", "NotResource")?.unwrap_or(Patterns {
        except: false,
        list: vec!["*".to_owned()],
    });
    Ok(Statement {
        label: label(position, fields.get("Sid").and_then(Value::as_str)),
        effect,
        who,
        actions,
        resources,
        conditions: parse_conditions(position, fields.get("Condition"))?,
    })
}

const KNOWN_FIELDS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

/// Whoever wrote the policy chose the `Sid`: only what cannot disturb a message is shown.
fn label(position: usize, sid: Option<&str>) -> String {
    let plain = |text: &&str| {
        !text.is_empty()
            && text.len() <= 64
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_'))
    };
    sid.filter(plain)
        .map_or_else(|| format!("#{position}"), str::to_owned)
}

fn parse_patterns(
    position: usize,
    fields: &serde_json::Map<String, Value>,
    positive: &str,
    negative: &str,
) -> Result<Option<Patterns>, Unreadable> {
    let (except, value) = match (fields.get(positive), fields.get(negative)) {
        (None, None) => return Ok(None),
        (Some(value), None) => (false, value),
        (None, Some(value)) => (true, value),
        (Some(_), Some(_)) => {
            return unreadable(format!("statement #{position} has {positive} and {negative}"));
        }
    };
    let Some(list) = texts(value) else {
        return unreadable(format!("{positive} of statement #{position} is not text"));
    };
    if list.iter().any(|entry| entry.len() > MAX_ENTRY) {
        return unreadable(format!("{positive} of statement #{position} is too long"));
    }
    Ok(Some(Patterns { except, list }))
}

/// A text or a list of texts.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(list) => list
            .iter()
            .map(|entry| entry.as_str().map(str::to_owned))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

fn parse_names(position: usize, value: &Value) -> Result<Vec<Name>, Unreadable> {
    let broken = || Unreadable(format!("Principal of statement #{position} has an unknown form"));
    let mut names = Vec::new();
    match value {
        Value::String(text) if text == "*" => names.push(Name::Everyone),
        Value::Array(list) => {
            // Not documented, but accepted by some services: a bare list of `*`.
            for entry in list {
                if entry.as_str() != Some("*") {
                    return Err(broken());
                }
                names.push(Name::Everyone);
            }
        }
        Value::Object(kinds) => {
            for (kind, entries) in kinds {
                for entry in texts(entries).ok_or_else(broken)? {
                    names.push(parse_name(kind, entry));
                }
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => return Err(broken()),
    }
    Ok(names)
}

fn parse_name(kind: &str, text: String) -> Name {
    match kind {
        "AWS" | "*" => parse_aws_name(text),
        // `{"Service": "*"}` and `{"Federated": "*"}` mean every one of them.
        "Service" | "Federated" | "CanonicalUser" if text == "*" => Name::Everyone,
        "Service" => Name::Service(text),
        "Federated" => Name::Federated(text),
        "CanonicalUser" => Name::Canonical(text),
        _ => Name::Unreadable(text),
    }
}

fn parse_aws_name(text: String) -> Name {
    if text == "*" {
        return Name::Everyone;
    }
    if is_account(&text) {
        return Name::Account(text);
    }
    if let Some(account) = pattern::arn_account(&text) {
        if !is_account(account) {
            return Name::Unreadable(text);
        }
        let account = account.to_owned();
        if text.ends_with(":root") {
            return Name::Account(account);
        }
        if pattern::has_wildcard(&text) {
            return Name::Unreadable(text);
        }
        return Name::Identity { account, arn: text };
    }
    let unique = ["AIDA", "AROA", "AGPA", "AKIA", "ASIA"]
        .iter()
        .any(|prefix| text.starts_with(prefix));
    if unique && text.len() >= 16 && text.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Name::Deleted;
    }
    Name::Unreadable(text)
}

/// Whether the text is an account number: twelve digits.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn parse_conditions(position: usize, value: Option<&Value>) -> Result<Vec<Condition>, Unreadable> {
    let broken = || Unreadable(format!("Condition of statement #{position} has an unknown form"));
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    let mut conditions = Vec::new();
    for (operator, keys) in value.as_object().ok_or_else(broken)? {
        for (key, values) in keys.as_object().ok_or_else(broken)? {
            conditions.push(Condition {
                operator: Operator::parse(operator),
                key: key.to_ascii_lowercase(),
                values: condition_values(values).ok_or_else(broken)?,
            });
        }
    }
    Ok(conditions)
}

/// Values may be texts, numbers and truth values, one or several; AWS compares them all as text.
fn condition_values(value: &Value) -> Option<Vec<String>> {
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    match value {
        Value::Array(list) => list.iter().map(one).collect(),
        other => one(other).map(|text| vec![text]),
    }
}
