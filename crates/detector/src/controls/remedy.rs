//! Steps for the person who repairs, with commands that are safe to paste.
//!
//! A command is given only if every identifier in it has the form that AWS gives to it: an attacker may choose names.

use keyvigil_model::finding::{Advice, Effect};

use crate::control::Case;

/// A step without a command.
pub(super) fn say(text: impl Into<String>) -> Advice {
    Advice {
        text: text.into(),
        command: None,
        effect: Effect::ReadOnly,
    }
}

/// A step with a command of the AWS CLI; `{id}`, `{name}`, `{account}` and `{region}` are filled in. Without a safe
/// identifier the step has no command.
pub(super) fn run(case: &Case<'_>, text: impl Into<String>, effect: Effect, template: &str) -> Advice {
    Advice {
        text: text.into(),
        command: filled(case, template),
        effect,
    }
}

fn filled(case: &Case<'_>, template: &str) -> Option<String> {
    let reference = case.reference;
    let id = reference.id.as_str();
    let name = id.rsplit([':', '/']).next().unwrap_or(id);
    let mut command = template.to_owned();
    for (mark, value) in [
        ("{id}", Some(id)),
        ("{name}", Some(name)),
        (
            "{account}",
            reference.account.as_ref().map(|account| account.as_str()),
        ),
        (
            "{region}",
            reference.region.as_ref().map(|region| region.as_str()),
        ),
    ] {
        if command.contains(mark) {
            command = command.replace(mark, value.filter(|value| is_safe(value))?);
        }
    }
    Some(command)
}

/// Characters of ARNs, names, accounts and regions that mean nothing to a shell; not an option of a command.
fn is_safe(value: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":/._-".contains(c);
    !value.is_empty() && value.len() <= 512 && !value.starts_with('-') && value.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_identifiers_reach_a_command() {
        for (value, expected) in [
            ("arn:aws:kms:eu-west-1:111111111111:key/mrk-1234abcd", true),
            ("my.bucket-1", true),
            ("", false),
            ("--profile", false),
            ("a;rm -rf /", false),
            ("$(x)", false),
            ("`x`", false),
            ("a b", false),
            ("a\nb", false),
        ] {
            assert_eq!(is_safe(value), expected, "{value}");
        }
    }
}
