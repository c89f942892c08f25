//! Ages and deadlines: rotation of keys, life of credentials, silence of sources.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::problem::Checker;
use crate::policy::selector;

/// How keys must be rotated.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rotation {
    /// A key must have been rotated within so many days; also the longest accepted rotation period.
    pub max_age_days: u32,
    /// Days after that before it is reported: a rotation is not punctual to the minute.
    pub grace_days: u32,
}

impl Default for Rotation {
    fn default() -> Self {
        Self {
            max_age_days: 365,
            grace_days: 7,
        }
    }
}

impl Rotation {
    pub(crate) fn check(&self, check: &mut Checker) {
        check.range("max_age_days", u64::from(self.max_age_days), 1, 3650);
        check.range("grace_days", u64::from(self.grace_days), 0, 90);
    }
}

/// How long credentials may live.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Credentials {
    /// An access key must be replaced within so many days.
    pub max_age_days: u32,
    /// A credential that was not used for so many days must go.
    pub max_unused_days: u32,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            max_age_days: 90,
            max_unused_days: 45,
        }
    }
}

impl Credentials {
    pub(crate) fn check(&self, check: &mut Checker) {
        check.range("max_age_days", u64::from(self.max_age_days), 1, 3650);
        check.range("max_unused_days", u64::from(self.max_unused_days), 1, 3650);
    }
}

/// When a source of events counts as silent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Silence {
    /// Never earlier than after so many minutes without a record.
    pub min_minutes: u32,
    /// At the latest after so many minutes without a record, for a source that spoke regularly before.
    pub max_minutes: u32,
    /// In between: after the longest pause of the recent past, so many times.
    pub pause_factor: u32,
    /// Fixed deadlines for sources that must not be left to what was learned.
    pub sources: Vec<SourceDeadline>,
}

/// A fixed deadline for some sources.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceDeadline {
    /// The source; `*` stands for any text.
    pub source: String,
    /// Minutes without a record after which it counts as silent.
    pub minutes: u32,
}

impl Default for Silence {
    fn default() -> Self {
        Self {
            min_minutes: 60,
            max_minutes: 24 * 60,
            pause_factor: 3,
            sources: Vec::new(),
        }
    }
}

impl Silence {
    /// The fixed deadline of a source in minutes, where there is one.
    pub fn fixed_minutes(&self, source: &str) -> Option<u32> {
        self.sources
            .iter()
            .find(|entry| selector::matches(&entry.source, source))
            .map(|entry| entry.minutes)
    }

    pub(crate) fn check(&self, check: &mut Checker) {
        check.range("min_minutes", u64::from(self.min_minutes), 5, 10_080);
        check.range(
            "max_minutes",
            u64::from(self.max_minutes),
            u64::from(self.min_minutes),
            43_200,
        );
        check.range("pause_factor", u64::from(self.pause_factor), 1, 100);
        for (index, entry) in self.sources.iter().enumerate() {
            check.filled(&format!("sources[{index}].source"), &entry.source);
            check.range(
                &format!("sources[{index}].minutes"),
                u64::from(entry.minutes),
                5,
                43_200,
            );
        }
    }
}
