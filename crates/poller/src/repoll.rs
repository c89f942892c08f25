//! Targeted re-polls: which poller looks again, requests for the same resource made one, a storm made a full poll.
//!
//! Pure: time is passed in. What is kept is bounded by the storm limit times the number of pollers.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use keyvigil_connector::poller::PollScope;
use keyvigil_model::resource::{RepollRequest, ResourceKind, ResourceRef};
use keyvigil_model::snapshot::Family;
use tokio::time::Instant;

/// The place of a poller in the list that the driver was given.
pub(crate) type PollerIndex = usize;

/// One look at one resource.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Look {
    pub(crate) poller: PollerIndex,
    pub(crate) resource: ResourceRef,
}

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Routed {
    /// Will be looked at soon.
    Queued,
    /// Another look that has not started yet covers it.
    Coalesced,
    /// Too many for this poller: it is to make a full poll instead, and that covers what was asked so far.
    Storm(PollerIndex),
    /// No poller reads such a resource in that account and region.
    Unmatched,
}

/// Requests that wait.
pub(crate) struct RepollBook {
    scopes: Vec<PollScope>,
    storming: Vec<bool>,
    /// Resources looked at while the poller's full poll was under way: what that one says of them may be older.
    during_full: Vec<Option<HashSet<ResourceRef>>>,
    waiting: VecDeque<Waiting>,
    delay: Duration,
    storm: usize,
}

struct Waiting {
    due: Instant,
    look: Look,
    attempt: u32,
}

impl RepollBook {
    pub(crate) fn new(scopes: Vec<PollScope>, delay: Duration, storm: usize) -> Self {
        Self {
            storming: vec![false; scopes.len()],
            during_full: scopes.iter().map(|_| None).collect(),
            waiting: VecDeque::new(),
            scopes,
            delay,
            storm: storm.max(1),
        }
    }

    /// Takes a request.
    pub(crate) fn request(&mut self, now: Instant, request: &RepollRequest) -> Routed {
        let Some(poller) = find_poller(&self.scopes, request) else {
            return Routed::Unmatched;
        };
        let look = Look {
            poller,
            resource: request.resource.clone(),
        };
        self.queue(now + self.delay, look, 0)
    }

    /// Puts a failed look back.
    pub(crate) fn again(&mut self, due: Instant, look: Look, attempt: u32) -> Routed {
        self.queue(due, look, attempt)
    }

    fn queue(&mut self, due: Instant, look: Look, attempt: u32) -> Routed {
        let poller = look.poller;
        if self.storming[poller] || self.waiting.iter().any(|waiting| waiting.look == look) {
            return Routed::Coalesced;
        }
        let of_poller = self
            .waiting
            .iter()
            .filter(|waiting| waiting.look.poller == poller);
        if of_poller.count() >= self.storm {
            self.waiting.retain(|waiting| waiting.look.poller != poller);
            self.storming[poller] = true;
            return Routed::Storm(poller);
        }
        self.waiting.push_back(Waiting { due, look, attempt });
        Routed::Queued
    }

    /// The next look that is due, with how often it failed before.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<(Look, u32)> {
        let at = self.waiting.iter().position(|waiting| waiting.due <= now)?;
        let waiting = self.waiting.remove(at)?;
        if let Some(during) = &mut self.during_full[waiting.look.poller] {
            during.insert(waiting.look.resource.clone());
        }
        Some((waiting.look, waiting.attempt))
    }

    /// When the next look is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.waiting.iter().map(|waiting| waiting.due).min()
    }

    /// How many wait.
    pub(crate) fn depth(&self) -> usize {
        self.waiting.len()
    }

    /// A full poll begins: it covers what waits.
    pub(crate) fn full_started(&mut self, poller: PollerIndex) {
        self.waiting.retain(|waiting| waiting.look.poller != poller);
        self.storming[poller] = false;
        self.during_full[poller] = Some(HashSet::new());
    }

    /// A full poll ended: what was looked at meanwhile is looked at once more.
    pub(crate) fn full_ended(&mut self, poller: PollerIndex, now: Instant) {
        for resource in self.during_full[poller].take().unwrap_or_default() {
            let _covered = self.queue(now, Look { poller, resource }, 0);
        }
    }
}

/// The poller that reads the resource: the one of its region, else the account's only one without regions, else any
/// of the account that reads the family (a trail is read through its home region).
fn find_poller(scopes: &[PollScope], request: &RepollRequest) -> Option<PollerIndex> {
    let family = family_of(request.resource.kind)?;
    let fits = |scope: &PollScope| {
        scope.provider == request.provider && scope.account == request.account && scope.family == family
    };
    let mut fallback = None;
    for (index, scope) in scopes.iter().enumerate() {
        if !fits(scope) {
            continue;
        }
        if scope.region == request.region || request.resource.region.as_ref() == Some(&scope.region) {
            return Some(index);
        }
        if fallback.is_none() || scope.region.as_str() == "global" {
            fallback = Some(index);
        }
    }
    let index = fallback?;
    let exact_region_needed = match family {
        Family::Keys | Family::Disks | Family::Databases => scopes[index].region.as_str() != "global",
        Family::Buckets | Family::AuditLogs | Family::Identities => false,
    };
    (!exact_region_needed).then_some(index)
}

fn family_of(kind: ResourceKind) -> Option<Family> {
    match kind {
        ResourceKind::Key => Some(Family::Keys),
        ResourceKind::Bucket => Some(Family::Buckets),
        ResourceKind::DiskDefault | ResourceKind::Disk | ResourceKind::DiskSnapshot => Some(Family::Disks),
        ResourceKind::Database | ResourceKind::DatabaseCluster | ResourceKind::DatabaseSnapshot => {
            Some(Family::Databases)
        }
        ResourceKind::AuditLog => Some(Family::AuditLogs),
        ResourceKind::Account | ResourceKind::User | ResourceKind::Role => Some(Family::Identities),
        ResourceKind::Secret | ResourceKind::Other => None,
    }
}

#[cfg(test)]
mod tests;
