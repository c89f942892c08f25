//! Tells by bytes alone that a record cannot matter, so that most records are never parsed.
//!
//! It may admit too much and never too little: it looks at every occurrence of the keys `eventSource` and `eventName`, at
//! any depth, and admits whatever it does not fully understand (a missing key, an escape, another type, a second key of
//! the same name). A property test compares it with parsing everything.

use keyvigil_model::action::{Action, ActionSet};
use memchr::memmem::Finder;

use super::actions::{self, SERVICES};
use super::split::{SOURCE_KEY, Sources, Span};

/// The filter for one set of actions.
pub(crate) struct Prefilter {
    wanted: ActionSet,
    everything: bool,
    services: Vec<Wanted>,
    name_key: Finder<'static>,
    unicode_escape: Finder<'static>,
    /// Signs that an object may have been written under a caller's key.
    customer_key: [Finder<'static>; 2],
}

struct Wanted {
    name: &'static [u8],
    operations: Operations,
}

enum Operations {
    All,
    These(Vec<(&'static [u8], Action)>),
}

/// The value of a key.
enum Value<'a> {
    Plain(&'a [u8]),
    /// Not a string, or one with an escape, or not a key at all.
    Unclear,
}

impl Prefilter {
    pub(crate) fn new(wanted: ActionSet) -> Self {
        let mut services = Vec::new();
        for service in SERVICES {
            let operations = if wanted.contains(service.default) {
                Operations::All
            } else {
                let mut these = Vec::new();
                for (name, action) in service.operations {
                    let other = actions::alternative(name).is_some_and(|other| wanted.contains(other));
                    if wanted.contains(*action) || other {
                        these.push((name.as_bytes(), *action));
                    }
                }
                if these.is_empty() {
                    continue;
                }
                Operations::These(these)
            };
            services.push(Wanted {
                name: service.name.as_bytes(),
                operations,
            });
        }
        Self {
            wanted,
            everything: wanted.contains(Action::Other),
            services,
            name_key: Finder::new(b"\"eventName\""),
            unicode_escape: Finder::new(b"\\u"),
            customer_key: [Finder::new(b"ustomer-"), Finder::new(b"SSE_C")],
        }
    }

    /// The set that it was made for.
    pub(crate) fn wanted(&self) -> ActionSet {
        self.wanted
    }

    /// Whether the record must be parsed.
    pub(crate) fn admits(&self, span: Span<'_>) -> bool {
        let bytes = span.bytes;
        // `"event\u0053ource"` is the same key.
        if self.everything || (span.backslash && self.unicode_escape.find(bytes).is_some()) {
            return true;
        }
        let Some(Sources::One(source)) = span.sources else {
            return true;
        };
        let Value::Plain(service) = value_after(bytes, source + SOURCE_KEY.len()) else {
            return true;
        };
        let Some(wanted) = self.services.iter().find(|wanted| wanted.name == service) else {
            return false;
        };
        match &wanted.operations {
            Operations::All => true,
            Operations::These(these) => self.admits_operation(bytes, these),
        }
    }

    fn admits_operation(&self, bytes: &[u8], these: &[(&[u8], Action)]) -> bool {
        let mut seen_any = false;
        for name in self.name_key.find_iter(bytes) {
            seen_any = true;
            let Value::Plain(operation) = value_after(bytes, name + self.name_key.needle().len()) else {
                return true;
            };
            let Some((_, action)) = these.iter().find(|(name, _)| *name == operation) else {
                continue;
            };
            if *action != Action::ObjectWriteCustomerKey || self.may_name_a_customer_key(bytes) {
                return true;
            }
        }
        !seen_any
    }

    /// Writes of objects are many; only those under a caller's key matter. The header is
    /// `x-amz-server-side-encryption-customer-algorithm`, the other sign is `"SSEApplied":"SSE_C"`.
    fn may_name_a_customer_key(&self, bytes: &[u8]) -> bool {
        self.customer_key.iter().any(|sign| sign.find(bytes).is_some())
    }
}

/// Reads `: "value"`.
fn value_after(bytes: &[u8], at: usize) -> Value<'_> {
    let rest = bytes.get(at..).unwrap_or_default().trim_ascii_start();
    let Some(rest) = rest.strip_prefix(b":") else {
        return Value::Unclear;
    };
    let Some(text) = rest.trim_ascii_start().strip_prefix(b"\"") else {
        return Value::Unclear;
    };
    match memchr::memchr2(b'"', b'\\', text) {
        Some(end) if text.get(end) == Some(&b'"') => Value::Plain(text.get(..end).unwrap_or_default()),
        Some(_) | None => Value::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::super::split::within_limits;
    use super::*;

    fn admits(wanted: &[Action], record: &str) -> bool {
        let span = within_limits(record.as_bytes()).unwrap();
        Prefilter::new(ActionSet::of(wanted)).admits(span)
    }

    #[test]
    fn what_cannot_matter_is_left_out() {
        let keys = &[Action::KeyDecrypt, Action::KeyOther];
        for record in [
            r#"{"eventSource":"ec2.amazonaws.com","eventName":"DescribeInstances"}"#,
            r#"{ "eventName" : "Decrypt" , "eventSource" : "lambda.amazonaws.com" }"#,
            r#"{"eventSource":"s3.amazonaws.com","eventName":"PutObject","userAgent":"a\"b"}"#,
        ] {
            assert!(!admits(keys, record), "{record}");
        }
        let write = &[Action::ObjectWriteCustomerKey];
        let plain = r#"{"eventSource":"s3.amazonaws.com","eventName":"PutObject","requestParameters":{}}"#;
        assert!(!admits(write, plain));
    }

    #[test]
    fn whatever_is_not_understood_is_admitted() {
        let keys = &[Action::KeyDecrypt];
        for record in [
            r#"{"eventSource":"kms.amazonaws.com","eventName":"Decrypt"}"#,
            r#"{"eventName":"Decrypt"}"#,
            r#"{"eventSource":"kms.amazonaws.com"}"#,
            r#"{"eventSource":null,"eventName":"Decrypt"}"#,
            r#"{"event\u0053ource":"kms.amazonaws.com","x":{"eventSource":"ec2.amazonaws.com"}}"#,
            r#"{"eventSource":"kms.amazon\u0061ws.com","eventName":"Decrypt"}"#,
            r#"{"eventSource":"ec2.amazonaws.com","eventSource":"kms.amazonaws.com"}"#,
            r#"{"x":"eventSource","y":1}"#,
            r#"{"eventSource":"kms.amazonaws.com","eventName":"Decrypt","z":{"eventName":"Encrypt"}}"#,
        ] {
            assert!(admits(keys, record), "{record}");
        }
        assert!(admits(
            &[Action::Other],
            r#"{"eventSource":"ec2.amazonaws.com","eventName":"X"}"#
        ));
        assert!(admits(
            &[Action::AuditRedirect],
            r#"{"eventSource":"cloudtrail.amazonaws.com","eventName":"UpdateTrail"}"#
        ));
    }
}
