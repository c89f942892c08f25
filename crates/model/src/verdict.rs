//! What a control says about a resource. UNKNOWN is a verdict of its own and is never green.

use std::fmt;
use std::sync::Arc;

use crate::id::CheckId;
use crate::resource::ResourceRef;
use crate::time::Timestamp;

/// The verdict of one control on one resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The requirement holds; seen, not assumed.
    Pass,
    /// The requirement does not hold.
    Fail,
    /// It could not be seen whether the requirement holds.
    Unknown(UnknownReason),
    /// The requirement does not concern this resource.
    NotApplicable(Arc<str>),
    /// The requirement does not hold and somebody accepted that.
    Excepted {
        /// The exception.
        id: Arc<str>,
        /// When it ends.
        expires: Timestamp,
    },
}

/// Why something could not be seen. A closed list, so that it can be a metric label.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum UnknownReason {
    /// keyvigil lacks the permission.
    Denied,
    /// The provider throttled the call.
    Throttled,
    /// The provider did not answer.
    Unreachable,
    /// The answer could not be read.
    Unreadable,
    /// The answer holds a value that this version does not know.
    UnsupportedValue,
    /// Something needed for the verdict lies outside what keyvigil reads (another account, no tag).
    NotVisible,
    /// It was not read yet.
    NotYetRead,
}

impl UnknownReason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Denied,
        Self::Throttled,
        Self::Unreachable,
        Self::Unreadable,
        Self::UnsupportedValue,
        Self::NotVisible,
        Self::NotYetRead,
    ];

    /// The word used in NDJSON and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Throttled => "throttled",
            Self::Unreachable => "unreachable",
            Self::Unreadable => "unreadable",
            Self::UnsupportedValue => "unsupported_value",
            Self::NotVisible => "not_visible",
            Self::NotYetRead => "not_yet_read",
        }
    }

    /// The inverse of [`UnknownReason::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

impl fmt::Display for UnknownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something read from a provider, or the reason why it could not be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Read<T> {
    /// The value.
    Known(T),
    /// Not seen. Never treat it as a default.
    Unknown(UnknownReason),
}

impl<T> Read<T> {
    /// The value, or the reason.
    pub fn get(&self) -> Result<&T, UnknownReason> {
        match self {
            Self::Known(value) => Ok(value),
            Self::Unknown(reason) => Err(*reason),
        }
    }
}

impl Verdict {
    /// The word used in NDJSON and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unknown(_) => "unknown",
            Self::NotApplicable(_) => "not_applicable",
            Self::Excepted { .. } => "excepted",
        }
    }
}

/// A control's verdict on one resource with what it was based on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judgement {
    /// The control.
    pub control: CheckId,
    /// The resource judged.
    pub resource: ResourceRef,
    /// The verdict.
    pub verdict: Verdict,
    /// One sentence: what was observed, against what was required.
    pub observed: String,
    /// When the evidence was read.
    pub at: Timestamp,
}
