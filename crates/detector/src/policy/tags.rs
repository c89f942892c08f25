//! Which tags of a resource say environment, classification and owner.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::problem::Checker;
use crate::policy::selector;

/// The organisation's tags. Names and values are compared without regard to case.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tags {
    /// Tags that say the environment.
    pub environment: Vec<String>,
    /// Values of them that mean production; `*` stands for any text.
    pub production: Vec<String>,
    /// Tags that say the classification of the data.
    pub classification: Vec<String>,
    /// Values of them that mean confidential; `*` stands for any text.
    pub confidential: Vec<String>,
    /// Tags that say the owner.
    pub owner: Vec<String>,
}

impl Default for Tags {
    fn default() -> Self {
        let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            environment: list(&["environment", "env", "stage"]),
            production: list(&["production", "prod", "live"]),
            classification: list(&[
                "classification",
                "data-classification",
                "dataclassification",
                "sensitivity",
            ]),
            confidential: list(&[
                "confidential",
                "restricted",
                "secret",
                "highly-confidential",
                "pii",
                "phi",
            ]),
            owner: list(&["owner", "team", "service-owner"]),
        }
    }
}

impl Tags {
    /// Whether a tag's name is one of the listed names.
    pub fn is_named(names: &[String], tag: &str) -> bool {
        names.iter().any(|name| name.eq_ignore_ascii_case(tag))
    }

    /// Whether a tag's value is one of the listed values.
    pub fn has_value(values: &[String], value: &str) -> bool {
        let value = value.to_ascii_lowercase();
        values
            .iter()
            .any(|pattern| selector::matches(&pattern.to_ascii_lowercase(), &value))
    }

    pub(crate) fn check(&self, check: &mut Checker) {
        check.patterns("environment", &self.environment);
        check.patterns("production", &self.production);
        check.patterns("classification", &self.classification);
        check.patterns("confidential", &self.confidential);
        check.patterns("owner", &self.owner);
    }
}
