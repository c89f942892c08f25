//! What a control is: a requirement that should hold for a resource, judged on what snapshots say.
//!
//! Whether a control concerns a resource at all ([`Control::concerns`]), whether it applies to it in its present state
//! ([`Control::applies`]) and whether it holds ([`Control::judge`]) are three questions, answered apart: most false
//! alarms of tools come from mixing them.

use keyvigil_model::finding::Advice;
use keyvigil_model::id::CheckId;
use keyvigil_model::key::KeyRef;
use keyvigil_model::resource::ResourceRef;
use keyvigil_model::severity::Severity;
use keyvigil_model::snapshot::Resource;
use keyvigil_model::time::Timestamp;
use keyvigil_model::verdict::UnknownReason;

use crate::check::CheckMeta;
use crate::inventory::{Held, Inventory};
use crate::policy::Policy;

/// A requirement.
pub trait Control: Sync {
    /// What it is.
    fn meta(&self) -> &'static ControlMeta;

    /// Whether it concerns this sort of resource. `None`: the account as a whole.
    fn concerns(&self, resource: Option<&Resource>) -> bool;

    /// Whether it applies to the resource as it is now.
    fn applies(&self, _case: &Case<'_>) -> Applies {
        Applies::Yes
    }

    /// Whether it holds. Only asked where it applies.
    fn judge(&self, case: &Case<'_>) -> Opinion;

    /// How bad it is that it does not hold here.
    fn severity(&self, _case: &Case<'_>) -> Severity {
        self.meta().check.severity
    }

    /// What to do where it does not hold.
    fn advice(&self, _case: &Case<'_>) -> Vec<Advice> {
        Vec::new()
    }

    /// What breaks, and when it becomes irreversible, where it does not hold.
    fn stakes(&self, _case: &Case<'_>) -> Stakes {
        Stakes::default()
    }
}

/// The description of a control.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ControlMeta {
    /// Id, title, severity, references and manual.
    pub check: CheckMeta,
    /// What must hold, in one sentence.
    pub requirement: &'static str,
    /// The provider's permissions without which it says UNKNOWN. Listing permissions are left out where without them
    /// nothing of the family is seen at all.
    pub permissions: &'static [&'static str],
}

/// A resource to be judged, with everything around it.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The resource.
    pub reference: &'a ResourceRef,
    /// What was read of it. `None` for an account.
    pub held: Option<&'a Held>,
    /// Everything that was read.
    pub inventory: &'a Inventory,
    /// The policy.
    pub policy: &'a Policy,
    /// Now.
    pub now: Timestamp,
}

impl<'a> Case<'a> {
    /// What was read of the resource.
    pub fn resource(&self) -> Option<&'a Resource> {
        self.held.map(|held| &held.resource)
    }

    /// The key that the resource names, or is.
    pub fn key(&self) -> Option<KeyRef> {
        crate::controls::report::key_of(self)
    }
}

/// Whether a control applies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Applies {
    /// It does.
    Yes,
    /// It does not, and why.
    No(&'static str),
    /// It cannot be told; the text says what could not be seen.
    Unknown(UnknownReason, &'static str),
}

/// What a control says about a resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opinion {
    /// Whether it holds.
    pub holds: Holds,
    /// What was observed, as one sentence.
    pub observed: String,
}

/// Whether a requirement holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holds {
    /// It was seen that it does.
    Yes,
    /// It was seen that it does not.
    No,
    /// It cannot be told.
    Unknown(UnknownReason),
    /// It turned out not to concern the resource; the text is the reason.
    NotApplicable(&'static str),
}

impl Opinion {
    /// It holds.
    pub fn pass(observed: impl Into<String>) -> Self {
        Self {
            holds: Holds::Yes,
            observed: observed.into(),
        }
    }

    /// It does not hold.
    pub fn fail(observed: impl Into<String>) -> Self {
        Self {
            holds: Holds::No,
            observed: observed.into(),
        }
    }

    /// It cannot be told.
    pub fn unknown(reason: UnknownReason, observed: impl Into<String>) -> Self {
        Self {
            holds: Holds::Unknown(reason),
            observed: observed.into(),
        }
    }

    /// It does not concern the resource after all.
    pub fn not_applicable(reason: &'static str, observed: impl Into<String>) -> Self {
        Self {
            holds: Holds::NotApplicable(reason),
            observed: observed.into(),
        }
    }
}

/// What is at stake.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Stakes {
    /// What breaks.
    pub blast_radius: Option<String>,
    /// When it becomes irreversible.
    pub deadline: Option<Timestamp>,
}

/// The id of a control as findings and judgements carry it.
pub fn check_id(meta: &ControlMeta) -> CheckId {
    CheckId::from(meta.check.id)
}
