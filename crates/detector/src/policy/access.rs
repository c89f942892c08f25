//! Who may use which key, and which keys and secrets nobody may touch.

use keyvigil_model::action::Action;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::problem::Checker;
use crate::policy::selector;

/// Principals that may do some operations with some keys. Together the entries that cover an operation on a key are
/// the complete list of who may do it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Authorised {
    /// Keys: ARN, id or `alias/name`; `*` stands for any text.
    pub keys: Vec<String>,
    /// Principals: the ARN of a user or role (for a session, of its role); `*` stands for any text.
    pub principals: Vec<String>,
    /// Operations in keyvigil's words (`key.decrypt`, `key.*`). Empty: everything that uses or changes a key;
    /// reading its configuration is covered only if it is named (`key.read`).
    #[serde(default)]
    pub operations: Vec<String>,
}

/// Keys and secrets that exist to be watched. Any touch of one is an alarm.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Decoys {
    /// Decoy keys: ARN, id or `alias/name`; `*` stands for any text.
    pub keys: Vec<String>,
    /// Decoy secrets: ARN or name; `*` stands for any text.
    pub secrets: Vec<String>,
    /// Principals that read every key's configuration (inventory scanners, keyvigil's own role). They may list and
    /// describe decoys; using one is an alarm for them too.
    pub scanners: Vec<String>,
}

impl Authorised {
    /// Whether the entry says anything about the operation.
    pub fn covers(&self, action: Action) -> bool {
        if self.operations.is_empty() {
            return action.is_key() && action != Action::KeyRead && action != Action::KeyOther;
        }
        selector::any(&self.operations, action.as_str())
    }

    pub(crate) fn check(&self, check: &mut Checker) {
        check.some_patterns("keys", &self.keys);
        check.some_patterns("principals", &self.principals);
        for (index, operation) in self.operations.iter().enumerate() {
            let known = Action::ALL
                .iter()
                .any(|action| action.is_key() && selector::matches(operation, action.as_str()));
            if !known {
                let words: Vec<_> = Action::ALL
                    .iter()
                    .filter(|action| action.is_key())
                    .map(|action| action.as_str())
                    .collect();
                check.problem(
                    &format!("operations[{index}]"),
                    format!(
                        "{operation:?} matches no operation; accepted: key.* or {}",
                        words.join(", ")
                    ),
                );
            }
        }
    }
}

impl Decoys {
    pub(crate) fn check(&self, check: &mut Checker) {
        check.patterns("keys", &self.keys);
        check.patterns("secrets", &self.secrets);
        check.patterns("scanners", &self.scanners);
    }
}
