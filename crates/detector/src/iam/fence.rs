//! What Deny statements take back.

use std::collections::BTreeSet;

use super::actions::Action;
use super::document::Statement;
use super::operator::Truth;

/// A Deny statement with what it covers, looked up once.
pub(crate) struct Fence<'p, 'a> {
    pub(crate) deny: &'p Statement,
    resources: Vec<bool>,
    actions: BTreeSet<&'a str>,
}

impl<'p, 'a> Fence<'p, 'a> {
    pub(crate) fn new(deny: &'p Statement, resources: &[&str], actions: &'a [Action]) -> Self {
        let covered = actions.iter().filter(|action| deny.actions.cover(&action.lower));
        Self {
            deny,
            resources: resources
                .iter()
                .map(|resource| deny.resources.cover(resource))
                .collect(),
            actions: covered.map(|action| action.lower.as_str()).collect(),
        }
    }

    pub(crate) fn covers(&self, action: &Action, resource: usize) -> bool {
        self.resources.get(resource).copied().unwrap_or(false) && self.actions.contains(action.lower.as_str())
    }
}

/// Whether the action is allowed on the resource.
pub(crate) fn outcome<'p>(
    allowed: Truth<'p>,
    denying: &[(&Fence<'p, '_>, Truth<'p>)],
    action: &Action,
    resource: usize,
) -> Truth<'p> {
    let mut denied = Truth::No;
    for (fence, truth) in denying {
        if fence.covers(action, resource) {
            denied = denied.or(*truth);
        }
    }
    match denied {
        Truth::Yes => Truth::No,
        Truth::Unclear(doubt) => allowed.and(Truth::Unclear(doubt)),
        Truth::No => allowed,
    }
}
