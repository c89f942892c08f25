//! Small rows that single rules keep.

use serde::{Deserialize, Serialize};

use crate::state::table::Row;

/// The first copy of a cross-account call: the other account's copy must not be judged again.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Shared {
    /// The account whose copy came first.
    pub account: Box<str>,
    /// Event time, microseconds.
    pub at: i64,
}

impl Row for Shared {
    fn last(&self) -> i64 {
        self.at
    }
}

/// The last use of a key or secret by a principal in an account.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LastUse {
    /// Event time, microseconds; up to a minute behind.
    pub at: i64,
    /// The record.
    pub event: Box<str>,
    /// The operation, in keyvigil's word.
    pub action: Box<str>,
}

impl Row for LastUse {
    fn last(&self) -> i64 {
        self.at
    }
}

/// A key that came from outside and is watched for a ransom.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Suspect {
    /// The account in which it appeared.
    pub account: Box<str>,
    /// Since when, microseconds.
    pub since: i64,
}

impl Row for Suspect {
    fn last(&self) -> i64 {
        self.since
    }
}

/// The last rotation of a key that was seen as an event, or its creation.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Rotated {
    /// The key's full name.
    pub key: Box<str>,
    /// The provider's word.
    pub provider: Box<str>,
    /// The account whose log said it.
    pub account: Box<str>,
    /// The region.
    pub region: Box<str>,
    /// When, microseconds.
    pub at: i64,
    /// It is the creation, not a rotation.
    pub created: bool,
    /// The key was destroyed, or its material is not the provider's: no rotation is expected.
    pub exempt: bool,
    /// The source that saw it.
    pub source: Box<str>,
}

impl Row for Rotated {
    fn last(&self) -> i64 {
        self.at
    }
}

/// Times at which logging was cut in an account.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct Cuts {
    /// In order of time.
    pub list: Vec<Cut>,
}

/// One cut.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Cut {
    /// Event time, microseconds.
    pub at: i64,
    /// The principal.
    pub who: u64,
    /// The record.
    pub event: Box<str>,
}

impl Row for Cuts {
    fn last(&self) -> i64 {
        self.list.last().map_or(i64::MIN, |cut| cut.at)
    }
}
