//! Which outsiders a document lets in: by sending it the requests that they could send.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::actions::{self, Action};
use super::actor::{self, Actor};
use super::document::{Document, Effect, Name, Statement, Who};
use super::fence::{Fence, outcome};
use super::keys::{self, Binds};
use super::operator::{Doubt, Truth};
use super::request::{self, Budget, cost_of};
use super::{Boundary, Grant, OutsideAccess, Outsider, PublicAccess, Reach};

/// What one actor can do.
#[derive(Debug, Default)]
struct Found<'p> {
    actions: BTreeSet<String>,
    statements: BTreeSet<String>,
    doubts: BTreeSet<Doubt<'p>>,
}

/// Whether everybody is let in.
pub(crate) fn public(document: &Document) -> PublicAccess {
    let mut search = Search::new(document);
    let everybody = search.everybody(Reach::Anywhere);
    if !everybody.is_empty() {
        return PublicAccess::Public(everybody);
    }
    if !search.doubts.is_empty() {
        return PublicAccess::NotConcluded(search.reasons());
    }
    let nearby = search.everybody(Reach::WithinNetwork);
    if !nearby.is_empty() {
        return PublicAccess::WithinNetwork(nearby);
    }
    if !search.doubts.is_empty() {
        return PublicAccess::NotConcluded(search.reasons());
    }
    PublicAccess::NotPublic
}

/// Who outside the boundary is let in.
pub(crate) fn outside(document: &Document, boundary: &Boundary) -> OutsideAccess {
    let mut search = Search::new(document);
    let mut access = OutsideAccess {
        grants: search.everybody(Reach::Anywhere),
        ..OutsideAccess::default()
    };
    if access.grants.is_empty() {
        access.grants = search.everybody(Reach::WithinNetwork);
    }
    let public: BTreeSet<String> = access
        .grants
        .iter()
        .flat_map(|grant| grant.actions.clone())
        .collect();
    for mut actor in actor::named(document) {
        // Nobody outside belongs to a trusted organisation.
        actor.orgs.retain(|org| !boundary.organisations.contains(org));
        let trust = boundary.trusts(&actor.outsider);
        if trust == Trust::Inside {
            continue;
        }
        let Some(mut grant) = search.grant(&actor) else {
            continue;
        };
        // What everybody may do is said once.
        grant.actions.retain(|action| !public.contains(action));
        if grant.actions.is_empty() {
            continue;
        }
        match (&grant.who, trust) {
            (Outsider::Organisation(org), Trust::NotKnown) => access.doubts.push(format!(
                "the organisation {org} is allowed, and the configuration does not say whether it is yours"
            )),
            (Outsider::Service(_) | Outsider::ServiceFor(_) | Outsider::AnyService, _) => {
                access.services.push(grant);
            }
            _ => access.grants.push(grant),
        }
    }
    search.doubt_unnamed();
    access.doubts.extend(search.reasons());
    access
}

/// Whether an outsider belongs to the boundary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trust {
    /// It does.
    Inside,
    /// It does not.
    Outside,
    /// The configuration does not say.
    NotKnown,
}

struct Search<'p> {
    document: &'p Document,
    actions: Vec<Action>,
    everybody: Vec<Actor>,
    budget: Budget,
    doubts: BTreeSet<Doubt<'p>>,
}

impl<'p> Search<'p> {
    fn new(document: &'p Document) -> Self {
        Self {
            document,
            actions: actions::worth_trying(document),
            everybody: actor::everybody(document),
            budget: Budget::default(),
            doubts: BTreeSet::new(),
        }
    }

    fn reasons(&self) -> Vec<String> {
        self.doubts.iter().map(ToString::to_string).collect()
    }

    /// What unsigned callers, strangers and services for strangers can do; the same grant is said once.
    fn everybody(&mut self, reach: Reach) -> Vec<Grant> {
        let mut grants: Vec<Grant> = Vec::new();
        for actor in self.everybody.clone() {
            let found = self.try_all(
                &actor,
                reach,
                match actor.outsider {
                    Outsider::AnyService => OnlyThose::BoundBySource,
                    _ => OnlyThose::Any,
                },
            );
            if let Some(grant) = self.keep(&actor, reach, found)
                && !grants.iter().any(|known| known.actions == grant.actions)
            {
                grants.push(grant);
            }
        }
        // A stranger can do whatever an unsigned caller can.
        if grants.iter().any(|grant| grant.who == Outsider::AnyAccount) {
            grants.retain(|grant| grant.who != Outsider::AnyService);
        }
        grants
    }

    fn grant(&mut self, actor: &Actor) -> Option<Grant> {
        for reach in [Reach::Anywhere, Reach::WithinNetwork] {
            let found = self.try_all(actor, reach, OnlyThose::Any);
            if let Some(grant) = self.keep(actor, reach, found) {
                return Some(grant);
            }
        }
        None
    }

    fn keep(&mut self, actor: &Actor, reach: Reach, found: Found<'p>) -> Option<Grant> {
        if found.actions.is_empty() {
            self.doubts.extend(found.doubts);
            return None;
        }
        let power = found.actions.iter().map(|action| actions::power(action)).max()?;
        Some(Grant {
            who: actor.outsider.clone(),
            power,
            actions: found.actions.into_iter().collect(),
            reach,
            statements: found.statements.into_iter().collect(),
        })
    }

    fn try_all(&mut self, actor: &Actor, reach: Reach, only: OnlyThose) -> Found<'p> {
        let mut found = Found::default();
        let document = self.document;
        let denies: Vec<&Statement> = document
            .statements
            .iter()
            .filter(|statement| {
                statement.effect == Effect::Deny && actor.is_meant(&statement.who) != Truth::No
            })
            .collect();
        let mut allows: Vec<&Statement> = document
            .statements
            .iter()
            .filter(|allow| allow.effect == Effect::Allow && only.includes(allow))
            .collect();
        // The simplest first: what is open without conditions is found however complex the rest is.
        allows.sort_by_key(|allow| allow.conditions.len());
        for allow in allows {
            let meant = actor.is_meant(&allow.who);
            if meant == Truth::No {
                continue;
            }
            if let Err(doubt) = self.try_one(allow, meant, &denies, (actor, reach), &mut found) {
                found.doubts.insert(doubt);
            }
        }
        found
    }

    fn try_one(
        &mut self,
        allow: &'p Statement,
        meant: Truth<'p>,
        denies: &[&'p Statement],
        (actor, reach): (&Actor, Reach),
        found: &mut Found<'p>,
    ) -> Result<(), Doubt<'p>> {
        let resources = resources_of(allow);
        let mut targets = Vec::new();
        for action in &self.actions {
            if !allow.actions.cover(&action.lower) || !actor.may_send(&action.lower) {
                continue;
            }
            targets.extend((0..resources.len()).map(|resource| (action, resource)));
        }
        let mut fences = Vec::new();
        for deny in denies {
            let entries = deny
                .resources
                .list
                .iter()
                .map(|entry| cost_of(entry))
                .sum::<usize>();
            self.budget
                .spend(entries * resources.len() + 64 * self.actions.len())?;
            let fence = Fence::new(deny, &resources, &self.actions);
            if targets
                .iter()
                .any(|(action, resource)| fence.covers(action, *resource))
            {
                fences.push(fence);
            }
        }
        let mut involved = vec![allow];
        involved.extend(fences.iter().map(|fence| fence.deny));
        request::each(
            &involved,
            actor,
            reach,
            &[],
            &mut self.budget,
            |request, budget| {
                let allowed = meant.and(request::conditions_hold(allow, request));
                if allowed == Truth::No {
                    return ControlFlow::Continue(());
                }
                let mut denying = Vec::new();
                for fence in &fences {
                    let denied = actor
                        .is_meant(&fence.deny.who)
                        .and(request::conditions_hold(fence.deny, request));
                    if denied != Truth::No {
                        denying.push((fence, denied));
                    }
                }
                if let Err(doubt) = budget.spend(targets.len() * (denying.len() + 1)) {
                    found.doubts.insert(doubt);
                    return ControlFlow::Break(());
                }
                targets.retain(
                    |(action, resource)| match outcome(allowed, &denying, action, *resource) {
                        Truth::Yes => {
                            found.actions.insert(action.name.clone());
                            found.statements.insert(allow.label.clone());
                            false
                        }
                        Truth::Unclear(doubt) => {
                            found.doubts.insert(doubt);
                            true
                        }
                        Truth::No => true,
                    },
                );
                if targets.is_empty() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            },
        )
    }

    /// Names in Allow statements that do not say whose they are, and unique ids that a condition asks for.
    fn doubt_unnamed(&mut self) {
        for statement in &self.document.statements {
            if statement.effect != Effect::Allow {
                continue;
            }
            if let Who::Listed(names) = &statement.who {
                for name in names {
                    if let Name::Canonical(text) | Name::Unreadable(text) = name {
                        self.doubts.insert(Doubt::Name(text));
                    }
                }
            }
            if !includes_everyone(statement) || bound_by_account(statement) {
                continue;
            }
            for condition in &statement.conditions {
                if keys::binds(&condition.key) == Binds::CallerUserId {
                    self.doubts
                        .extend(condition.values.iter().map(|value| Doubt::Name(value)));
                }
            }
        }
    }
}

/// Which Allow statements count for an actor.
#[derive(Clone, Copy)]
enum OnlyThose {
    Any,
    /// Those for everyone that ask for a source. "Everyone" without any condition is said of strangers already, and
    /// an exemption of services in a Deny is how data perimeters are written.
    BoundBySource,
}

impl OnlyThose {
    fn includes(self, allow: &Statement) -> bool {
        match self {
            Self::Any => true,
            Self::BoundBySource => allow.conditions.iter().any(|condition| {
                let binds = keys::binds(&condition.key);
                matches!(
                    binds,
                    Binds::SourceAccount | Binds::SourceArn | Binds::SourceOrg | Binds::SourceOrgPaths
                )
            }),
        }
    }
}

fn includes_everyone(statement: &Statement) -> bool {
    match &statement.who {
        Who::Listed(names) => names.contains(&Name::Everyone),
        Who::AllBut(_) => true,
        Who::Bearer => false,
    }
}

fn bound_by_account(statement: &Statement) -> bool {
    statement.conditions.iter().any(|condition| {
        let binds = keys::binds(&condition.key);
        let bounds = matches!(
            binds,
            Binds::CallerAccount | Binds::CallerOrg | Binds::CallerOrgPaths | Binds::CallerArn
        );
        bounds && !condition.operator.negated
    })
}

/// Resources worth trying: those that the statement names. A pattern is covered by itself.
fn resources_of(allow: &Statement) -> Vec<&str> {
    if allow.resources.except {
        return vec!["any-other-resource"];
    }
    allow.resources.list.iter().map(String::as_str).collect()
}
