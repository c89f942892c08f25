//! Accepted risks: a finding that matches one is recorded as suppressed, until the exception expires.

use std::collections::BTreeSet;

use keyvigil_model::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::date;
use crate::policy::problem::Checker;

/// An accepted risk. Selectors that are left out match everything; those that are there must all match.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// A name for it, unique: `EX-2026-014`.
    pub id: String,
    /// The rules or controls that it covers, by id; `*` stands for any text.
    pub checks: Vec<String>,
    /// Accounts that it covers.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// Principals that it covers.
    #[serde(default)]
    pub principals: Vec<String>,
    /// Keys that it covers.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Resources other than keys that it covers.
    #[serde(default)]
    pub resources: Vec<String>,
    /// Who answers for it.
    pub owner: String,
    /// Who accepted it. Not the owner.
    #[serde(default)]
    pub approved_by: Option<String>,
    /// Why it is accepted.
    pub reason: String,
    /// The ticket that records the decision.
    #[serde(default)]
    pub ticket: Option<String>,
    /// The first day on which it no longer holds (`2026-12-31`).
    pub expires: String,
}

impl Exception {
    /// Whether it still holds at `now`.
    pub fn is_active(&self, now: Timestamp) -> bool {
        date::holds(&self.expires, now)
    }

    pub(crate) fn check(&self, check: &mut Checker) {
        check.filled("id", &self.id);
        check.some_patterns("checks", &self.checks);
        check.patterns("accounts", &self.accounts);
        check.patterns("principals", &self.principals);
        check.patterns("keys", &self.keys);
        check.patterns("resources", &self.resources);
        check.filled("owner", &self.owner);
        check.filled("reason", &self.reason);
        check.date("expires", &self.expires);
        if self.approved_by.as_ref() == Some(&self.owner) {
            check.problem(
                "approved_by",
                "must not be the owner: somebody else has to accept the risk",
            );
        }
        let everything = self.accounts.is_empty()
            && self.principals.is_empty()
            && self.keys.is_empty()
            && self.resources.is_empty();
        if everything && self.checks.iter().any(|pattern| pattern == "*") {
            check.problem(
                "checks",
                "an exception for every check on everything would switch keyvigil off",
            );
        }
    }
}

/// Two exceptions must not share an id: the id is what a suppressed finding names.
pub(crate) fn check_ids(exceptions: &[Exception], check: &mut Checker) {
    let mut seen = BTreeSet::new();
    for (index, exception) in exceptions.iter().enumerate() {
        if !seen.insert(&exception.id) {
            check.problem(
                &format!("exceptions[{index}].id"),
                format!("{:?} is used twice", exception.id),
            );
        }
    }
}
