//! Collects what is wrong with a policy, each mistake with its place and what would be accepted.

use std::fmt;

use crate::policy::date;

/// One mistake in the policy.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PolicyProblem {
    /// Where it is, below the policy's own table: `exceptions[0].expires`.
    pub path: String,
    /// What is wrong, and what would be accepted.
    pub message: String,
}

impl fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Collects problems below one place.
#[derive(Default)]
pub struct Checker {
    prefix: String,
    found: Vec<PolicyProblem>,
}

/// A [`Checker`] for a place below another; hands its problems up when it is dropped.
pub struct Nested<'a> {
    parent: &'a mut Checker,
    inner: Checker,
}

impl Checker {
    /// A checker for a place below this one.
    pub fn at(&mut self, place: String) -> Nested<'_> {
        let prefix = self.path(&place);
        Nested {
            parent: self,
            inner: Self {
                prefix,
                found: Vec::new(),
            },
        }
    }

    fn path(&self, field: &str) -> String {
        if self.prefix.is_empty() {
            field.to_owned()
        } else {
            format!("{}.{field}", self.prefix)
        }
    }

    /// Records a mistake.
    pub fn problem(&mut self, field: &str, message: impl Into<String>) {
        let path = self.path(field);
        self.found.push(PolicyProblem {
            path,
            message: message.into(),
        });
    }

    /// A number must lie within bounds, both included.
    pub fn range(&mut self, field: &str, value: u64, low: u64, high: u64) {
        if value < low || value > high {
            self.problem(
                field,
                format!("{value} is out of range; accepted: {low} to {high}"),
            );
        }
    }

    /// A text must not be empty.
    pub fn filled(&mut self, field: &str, value: &str) {
        if value.trim().is_empty() {
            self.problem(field, "is required and must not be empty");
        }
    }

    /// Patterns must not be empty.
    pub fn patterns(&mut self, field: &str, patterns: &[String]) {
        for (index, pattern) in patterns.iter().enumerate() {
            if pattern.trim().is_empty() {
                self.problem(
                    &format!("{field}[{index}]"),
                    "must not be empty; `*` matches everything",
                );
            }
        }
    }

    /// A list must have entries, and each must be a pattern.
    pub fn some_patterns(&mut self, field: &str, patterns: &[String]) {
        if patterns.is_empty() {
            self.problem(field, "needs at least one entry; `*` matches everything");
        }
        self.patterns(field, patterns);
    }

    /// A text must be a date.
    pub fn date(&mut self, field: &str, text: &str) {
        if date::parse(text).is_none() {
            self.problem(
                field,
                format!("{text:?} is not a date; accepted: \"2026-12-31\" or \"2026-12-31T12:00:00Z\""),
            );
        }
    }

    /// An AWS account, in the only form that it can have when it looks like one.
    pub fn account(&mut self, field: &str, text: &str) {
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        if text.trim().is_empty() || (digits == text.len() && digits != 12) {
            self.problem(
                field,
                format!("{text:?} is not an account; accepted: 12 digits for AWS, or another provider's name of it"),
            );
        }
    }

    /// What was found, in the order of places.
    pub fn finish(self) -> Vec<PolicyProblem> {
        self.found
    }
}

impl std::ops::Deref for Nested<'_> {
    type Target = Checker;
    fn deref(&self) -> &Checker {
        &self.inner
    }
}

impl std::ops::DerefMut for Nested<'_> {
    fn deref_mut(&mut self) -> &mut Checker {
        &mut self.inner
    }
}

impl Drop for Nested<'_> {
    fn drop(&mut self) {
        self.parent.found.append(&mut self.inner.found);
    }
}
