//! What can go wrong with a call, in the few classes that change what the driver does next.

use std::fmt;
use std::time::Duration;

use keyvigil_model::verdict::UnknownReason;

/// The class of a failure: all that a driver needs to decide what to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailureClass {
    /// Too many calls. Wait at least as long as the provider asked for.
    Throttled(Option<Duration>),
    /// Network trouble, a timeout or a server error: the same call may work later.
    Transient,
    /// The credential is valid but lacks a permission.
    Denied,
    /// The credential is missing, expired or wrong.
    Unauthenticated,
    /// The thing asked for does not exist.
    NotFound,
    /// The request is wrong: repeating it cannot help.
    Permanent,
    /// The answer could not be understood.
    Unreadable,
}

impl FailureClass {
    /// One of each, with no wait asked for: for tables over all classes.
    pub const ALL: [Self; 7] = [
        Self::Throttled(None),
        Self::Transient,
        Self::Denied,
        Self::Unauthenticated,
        Self::NotFound,
        Self::Permanent,
        Self::Unreadable,
    ];

    /// The word used as metric label `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Throttled(_) => "throttled",
            Self::Transient => "transient",
            Self::Denied => "denied",
            Self::Unauthenticated => "unauthenticated",
            Self::NotFound => "not_found",
            Self::Permanent => "permanent",
            Self::Unreadable => "unreadable",
        }
    }

    /// What a value is that could not be read for this reason.
    pub fn unknown_reason(self) -> UnknownReason {
        match self {
            Self::Throttled(_) => UnknownReason::Throttled,
            Self::Transient => UnknownReason::Unreachable,
            Self::Denied | Self::Unauthenticated => UnknownReason::Denied,
            Self::NotFound => UnknownReason::NotVisible,
            Self::Permanent | Self::Unreadable => UnknownReason::Unreadable,
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn may_pass(self) -> bool {
        match self {
            Self::Throttled(_) | Self::Transient => true,
            Self::Denied | Self::Unauthenticated | Self::NotFound | Self::Permanent | Self::Unreadable => {
                false
            }
        }
    }
}

/// A call to a provider failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallError {
    /// What to do about it.
    pub class: FailureClass,
    /// The call, in the provider's permission words: `kms:DescribeKey`.
    pub call: String,
    /// What the provider said, without secrets; one line.
    pub message: String,
}

impl CallError {
    /// A failure of `call`.
    pub fn new(class: FailureClass, call: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            class,
            call: call.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} failed ({}): {}",
            self.call,
            self.class.as_str(),
            self.message
        )
    }
}

impl std::error::Error for CallError {}
