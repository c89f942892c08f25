//! What the tags of a resource say: environment, classification and owner.

use std::collections::BTreeMap;

use keyvigil_model::untrusted::Untrusted;
use keyvigil_model::verdict::{Read, UnknownReason};

use crate::policy::tags::Tags;

/// Whether the data is production and confidential.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DataClass {
    /// Both.
    ProductionConfidential,
    /// At least one of them is not the case.
    Other,
    /// A tag that would say it is missing.
    NotTagged(MissingTag),
}

/// Which tag is missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MissingTag {
    /// The one that says the environment.
    Environment,
    /// The one that says the classification.
    Classification,
    /// Both.
    Both,
}

impl MissingTag {
    /// What the missing tag would say.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Environment => "the environment",
            Self::Classification => "the classification",
            Self::Both => "environment or classification",
        }
    }
}

/// What the tags say about the data.
///
/// # Errors
/// The reason why the tags could not be read.
pub fn data_class(
    tags: &Read<BTreeMap<String, Untrusted>>,
    words: &Tags,
) -> Result<DataClass, UnknownReason> {
    let tags = tags.get()?;
    let production = says(tags, &words.environment, &words.production);
    let confidential = says(tags, &words.classification, &words.confidential);
    Ok(match (production, confidential) {
        (Some(true), Some(true)) => DataClass::ProductionConfidential,
        (Some(false), _) | (_, Some(false)) => DataClass::Other,
        (None, None) => DataClass::NotTagged(MissingTag::Both),
        (None, Some(true)) => DataClass::NotTagged(MissingTag::Environment),
        (Some(true), None) => DataClass::NotTagged(MissingTag::Classification),
    })
}

/// Whether a tag of one of the names has one of the values; `None` if there is no such tag, or only an empty one.
fn says(tags: &BTreeMap<String, Untrusted>, names: &[String], values: &[String]) -> Option<bool> {
    let mut found = None;
    for (name, value) in tags {
        if Tags::is_named(names, name) && !value.raw().trim().is_empty() {
            found = Some(found == Some(true) || Tags::has_value(values, value.raw().trim()));
        }
    }
    found
}

/// Owner, environment and classification in one line. `None` if no tag says any of them.
pub(super) fn owner_line(tags: &Read<BTreeMap<String, Untrusted>>, words: &Tags) -> Option<Untrusted> {
    let tags = tags.get().ok()?;
    let mut parts = Vec::new();
    for (label, names) in [
        ("owner", &words.owner),
        ("environment", &words.environment),
        ("classification", &words.classification),
    ] {
        let value = tags.iter().find(|(name, _)| Tags::is_named(names, name));
        if let Some((_, value)) = value {
            parts.push(format!("{label} {}", value.one_line(64)));
        }
    }
    if parts.is_empty() {
        None
    } else {
        Some(Untrusted::new(parts.join(", ")))
    }
}
