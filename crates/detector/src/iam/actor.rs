//! Those who might call: everybody, a stranger with an account of their own, named accounts, services.

use std::collections::BTreeSet;

use super::Outsider;
use super::document::{Document, Name, Who, is_account};
use super::keys::{self, Binds};
use super::operator::{Doubt, Truth};
use super::pattern;

/// A made-up organisation that no policy names.
pub(crate) const STRANGE_ORG: &str = "o-0stranger0";

/// Somebody who might call.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Actor {
    /// How the result names them.
    pub outsider: Outsider,
    /// What they are.
    pub kind: Kind,
    /// The organisations that they may belong to. Strangers may also belong to none.
    pub orgs: Vec<String>,
    /// Whether they may belong to no organisation.
    pub may_lack_org: bool,
}

/// What an actor is.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Kind {
    /// Sends unsigned requests.
    Anonymous,
    /// Signs with a credential of an account; the ARN is set where one identity is meant.
    Caller {
        /// The account.
        account: String,
        /// The ARN as the policy writes it.
        arn: Option<String>,
    },
    /// A service of AWS that acts for somebody's resource. No name: any service.
    Service {
        /// `sns.amazonaws.com`.
        name: Option<String>,
        /// The account on whose behalf it acts.
        account: String,
    },
    /// Signed in through an identity provider.
    Federated(String),
}

impl Actor {
    fn caller(outsider: Outsider, account: String, arn: Option<String>, orgs: Vec<String>) -> Self {
        let may_lack_org = !matches!(outsider, Outsider::Organisation(_));
        Self {
            outsider,
            kind: Kind::Caller { account, arn },
            orgs,
            may_lack_org,
        }
    }

    pub(crate) fn account(&self) -> Option<&str> {
        match &self.kind {
            Kind::Caller { account, .. } | Kind::Service { account, .. } => Some(account),
            Kind::Anonymous | Kind::Federated(_) => None,
        }
    }

    /// Whether the actor may call the action at all: the key service refuses unsigned requests.
    pub(crate) fn may_send(&self, action: &str) -> bool {
        self.kind != Kind::Anonymous || !action.starts_with("kms:")
    }

    /// Whether the statement's principals include the actor.
    pub(crate) fn is_meant<'p>(&self, who: &'p Who) -> Truth<'p> {
        match who {
            Who::Bearer => Truth::Unclear(Doubt::Name("(none)")),
            Who::Listed(names) => self.is_among(names),
            Who::AllBut(names) => match self.is_among(names) {
                Truth::Yes => Truth::No,
                Truth::No => Truth::Yes,
                Truth::Unclear(doubt) => Truth::Unclear(doubt),
            },
        }
    }

    fn is_among<'p>(&self, names: &'p [Name]) -> Truth<'p> {
        names.iter().fold(Truth::No, |sum, name| sum.or(self.is(name)))
    }

    fn is<'p>(&self, name: &'p Name) -> Truth<'p> {
        let yes = |truth: bool| if truth { Truth::Yes } else { Truth::No };
        match name {
            Name::Everyone => Truth::Yes,
            Name::Account(wanted) => match &self.kind {
                Kind::Caller { account, .. } => yes(account == wanted),
                Kind::Anonymous | Kind::Service { .. } | Kind::Federated(_) => Truth::No,
            },
            Name::Identity { arn: wanted, .. } => match &self.kind {
                Kind::Caller { arn, .. } => yes(arn.as_ref() == Some(wanted)),
                Kind::Anonymous | Kind::Service { .. } | Kind::Federated(_) => Truth::No,
            },
            Name::Service(wanted) => match &self.kind {
                Kind::Service { name, .. } => yes(name.as_ref() == Some(wanted)),
                Kind::Anonymous | Kind::Caller { .. } | Kind::Federated(_) => Truth::No,
            },
            Name::Federated(wanted) => match &self.kind {
                Kind::Federated(provider) => yes(provider == wanted),
                Kind::Anonymous | Kind::Caller { .. } | Kind::Service { .. } => Truth::No,
            },
            // It names one account, but not which: a stranger made up here is not it.
            Name::Canonical(id) => match self.outsider {
                Outsider::Account(_) | Outsider::Identity { .. } => Truth::Unclear(Doubt::Name(id)),
                Outsider::Anonymous
                | Outsider::AnyAccount
                | Outsider::AnyService
                | Outsider::Organisation(_)
                | Outsider::Service(_)
                | Outsider::ServiceFor(_)
                | Outsider::Federated(_) => Truth::No,
            },
            Name::Deleted => Truth::No,
            Name::Unreadable(text) => Truth::Unclear(Doubt::Name(text)),
        }
    }
}

/// Everybody: unsigned callers, strangers with an account of their own, and services that act for a stranger.
pub(crate) fn everybody(document: &Document) -> Vec<Actor> {
    let mut actors = vec![Actor {
        outsider: Outsider::Anonymous,
        kind: Kind::Anonymous,
        orgs: Vec::new(),
        may_lack_org: true,
    }];
    let orgs = strange_orgs(document);
    for account in strange_accounts(document) {
        actors.push(Actor::caller(
            Outsider::AnyAccount,
            account.clone(),
            None,
            orgs.clone(),
        ));
        actors.push(Actor {
            outsider: Outsider::AnyService,
            kind: Kind::Service { name: None, account },
            orgs: orgs.clone(),
            may_lack_org: false,
        });
    }
    actors
}

/// Those whom the document names, in principals or in conditions.
pub(crate) fn named(document: &Document) -> Vec<Actor> {
    let mut actors: Vec<Actor> = Vec::new();
    let mut orgs = strange_orgs(document);
    orgs.extend(named_orgs(document));
    let stranger = strange_accounts(document).swap_remove(0);
    let mut add = |actor: Actor| {
        if !actors.contains(&actor) {
            actors.push(actor);
        }
    };
    for statement in &document.statements {
        let names = match &statement.who {
            Who::Listed(names) | Who::AllBut(names) => names.as_slice(),
            Who::Bearer => &[],
        };
        for name in names {
            if let Some(actor) = actor_of(name, &stranger, &orgs) {
                add(actor);
            }
        }
        for condition in &statement.conditions {
            let binds = keys::binds(&condition.key);
            for value in &condition.values {
                if let Some(actor) = actor_in(binds, value, &stranger, &orgs) {
                    add(actor);
                }
            }
        }
    }
    for org in named_orgs(document) {
        add(Actor::caller(
            Outsider::Organisation(org.clone()),
            stranger.clone(),
            None,
            vec![org],
        ));
    }
    actors
}

fn actor_of(name: &Name, stranger: &str, orgs: &[String]) -> Option<Actor> {
    match name {
        Name::Account(account) => Some(account_actor(account, orgs)),
        Name::Identity { account, arn } => Some(identity_actor(account, arn, orgs)),
        Name::Service(service) => Some(Actor {
            outsider: Outsider::Service(service.clone()),
            kind: Kind::Service {
                name: Some(service.clone()),
                account: stranger.to_owned(),
            },
            orgs: vec![STRANGE_ORG.to_owned()],
            may_lack_org: false,
        }),
        Name::Federated(provider) => Some(Actor {
            outsider: Outsider::Federated(provider.clone()),
            kind: Kind::Federated(provider.clone()),
            orgs: Vec::new(),
            may_lack_org: true,
        }),
        Name::Everyone | Name::Canonical(_) | Name::Deleted | Name::Unreadable(_) => None,
    }
}

/// The actor that a condition value names.
fn actor_in(binds: Binds, value: &str, stranger: &str, orgs: &[String]) -> Option<Actor> {
    match binds {
        Binds::CallerAccount | Binds::CallerUserId if is_account(value) => Some(account_actor(value, orgs)),
        Binds::CallerArn => {
            let account = pattern::arn_account(value).filter(|account| is_account(account))?;
            if pattern::has_wildcard(value) || value.ends_with(":root") {
                return Some(account_actor(account, orgs));
            }
            Some(identity_actor(account, value, orgs))
        }
        Binds::SourceAccount if is_account(value) && value != stranger => Some(Actor {
            outsider: Outsider::ServiceFor(value.to_owned()),
            kind: Kind::Service {
                name: None,
                account: value.to_owned(),
            },
            orgs: vec![STRANGE_ORG.to_owned()],
            may_lack_org: false,
        }),
        _ => None,
    }
}

fn account_actor(account: &str, orgs: &[String]) -> Actor {
    Actor::caller(
        Outsider::Account(account.to_owned()),
        account.to_owned(),
        None,
        orgs.to_vec(),
    )
}

fn identity_actor(account: &str, arn: &str, orgs: &[String]) -> Actor {
    let outsider = Outsider::Identity {
        account: account.to_owned(),
        arn: arn.to_owned(),
    };
    Actor::caller(outsider, account.to_owned(), Some(arn.to_owned()), orgs.to_vec())
}

/// Account numbers that the document does not name: one that matches nothing but `*`, and one for each pattern.
fn strange_accounts(document: &Document) -> Vec<String> {
    let mut named = BTreeSet::new();
    let mut patterns = BTreeSet::new();
    for statement in &document.statements {
        if let Who::Listed(names) | Who::AllBut(names) = &statement.who {
            for name in names {
                if let Name::Account(account) | Name::Identity { account, .. } = name {
                    named.insert(account.as_str());
                }
            }
        }
        for condition in &statement.conditions {
            for value in &condition.values {
                named.insert(pattern::arn_account(value).unwrap_or(value));
                let account = matches!(
                    keys::binds(&condition.key),
                    Binds::CallerAccount | Binds::SourceAccount | Binds::EndpointAccount
                );
                if account && pattern::has_wildcard(value) {
                    patterns.extend(account_like(value));
                }
            }
        }
    }
    let free = (0..=999u32)
        .map(|n| format!("999999999{n:03}"))
        .find(|n| !named.contains(n.as_str()));
    let mut accounts: Vec<String> = free.into_iter().collect();
    accounts.extend(
        patterns
            .into_iter()
            .filter(|account| !named.contains(account.as_str()))
            .take(4),
    );
    if accounts.is_empty() {
        // A thousand accounts of that block are named: not a real policy, and any other number serves.
        accounts.push("888888888888".to_owned());
    }
    accounts
}

/// An account number that matches the pattern, if there can be one.
fn account_like(pattern: &str) -> Option<String> {
    let fixed = pattern.chars().filter(|c| *c != '*').count();
    let fill = "9".repeat(12usize.checked_sub(fixed)?);
    let number = pattern.replacen('*', &fill, 1).replace('*', "").replace('?', "9");
    is_account(&number).then_some(number)
}

/// Organisations that a stranger may belong to: a made-up one, and one for each pattern that leaves it open.
fn strange_orgs(document: &Document) -> Vec<String> {
    let mut orgs = vec![STRANGE_ORG.to_owned()];
    for org in org_values(document) {
        if pattern::has_wildcard(org) {
            let org = pattern::instance(org, "0stranger0");
            if !orgs.contains(&org) {
                orgs.push(org);
            }
        }
    }
    orgs
}

/// Organisations that the document names in full.
fn named_orgs(document: &Document) -> Vec<String> {
    let mut orgs: Vec<String> = Vec::new();
    for org in org_values(document) {
        if !pattern::has_wildcard(org) && org.starts_with("o-") && !orgs.iter().any(|known| known == org) {
            orgs.push(org.to_owned());
        }
    }
    orgs
}

fn org_values(document: &Document) -> impl Iterator<Item = &str> {
    let conditions = document
        .statements
        .iter()
        .flat_map(|statement| &statement.conditions);
    let about_orgs = conditions.filter(|condition| {
        matches!(
            keys::binds(&condition.key),
            Binds::CallerOrg | Binds::CallerOrgPaths
        )
    });
    about_orgs.flat_map(|condition| &condition.values).map(|value| {
        // A path: organisation, root, units.
        value.split_once('/').map_or(value.as_str(), |(org, _)| org)
    })
}
