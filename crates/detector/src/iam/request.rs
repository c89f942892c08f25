//! The requests that an actor could send: for each condition key of a policy, the values worth trying.
//!
//! A key that the actor may choose is tried with every value that the policy mentions, with one that it does not
//! mention, and without a value. A key that the provider sets from the actor's identity has the actor's value: a
//! pattern is tried only if it leaves the account open. So a request that is found to be allowed can really be sent.

use std::ops::ControlFlow;

use super::actor::{Actor, Kind, STRANGE_ORG};
use super::document::{Condition, Statement};
use super::keys::{self, Binds};
use super::operator::{Doubt, Has, Test, Truth};
use super::{Reach, pattern};

/// More combinations than this are not tried for one statement.
pub(crate) const MAX_REQUESTS: usize = 4096;

/// Work that one question about one document may cost, in units of about a nanosecond to ten. A real policy needs some
/// thousands. Whoever may write a policy must not be able to keep keyvigil busy with it.
const BUDGET: usize = 20_000_000;

/// Work that is left.
#[derive(Debug)]
pub(crate) struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(BUDGET)
    }
}

impl Budget {
    /// Takes the cost of some work; the doubt says that there is none left.
    pub(crate) fn spend<'p>(&mut self, cost: usize) -> Result<(), Doubt<'p>> {
        match self.0.checked_sub(cost) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => {
                self.0 = 0;
                Err(Doubt::TooComplex)
            }
        }
    }
}

/// What comparing with a text costs: a pattern may have to be tried at every place.
pub(crate) fn cost_of(text: &str) -> usize {
    let length = text.len();
    if pattern::has_wildcard(text) {
        16 + length + length * length / 64
    } else {
        16 + length
    }
}

fn cost_of_conditions(statement: &Statement) -> usize {
    let values = statement
        .conditions
        .iter()
        .flat_map(|condition| &condition.values);
    16 + values.map(|value| cost_of(value)).sum::<usize>()
}

/// The part of a request that conditions see.
pub(crate) type Request<'c, 'p> = [(&'p str, &'c Has<'p>)];

/// Whether all conditions of the statement hold for the request.
pub(crate) fn conditions_hold<'p>(statement: &'p Statement, request: &Request<'_, 'p>) -> Truth<'p> {
    let mut all = Truth::Yes;
    for condition in &statement.conditions {
        let found = request.iter().find(|(key, _)| *key == condition.key);
        let holds = match found {
            Some((_, has)) => condition.operator.holds(&condition.key, &condition.values, has),
            None => Truth::Unclear(Doubt::UnknownKey(&condition.key)),
        };
        all = all.and(holds);
        if all == Truth::No {
            break;
        }
    }
    all
}

/// Calls `visit` with each request that the actor could send, as far as the conditions of `statements` see it.
/// `fixed` keys have that value. Gives up with a doubt if there are too many or the budget is used up.
pub(crate) fn each<'p>(
    statements: &[&'p Statement],
    actor: &Actor,
    reach: Reach,
    fixed: &[(&str, Has<'p>)],
    budget: &mut Budget,
    mut visit: impl FnMut(&Request<'_, 'p>, &mut Budget) -> ControlFlow<()>,
) -> Result<(), Doubt<'p>> {
    let mut choices: Vec<(&'p str, Vec<Has<'p>>)> = Vec::new();
    let mut total: usize = 1;
    for statement in statements {
        for condition in &statement.conditions {
            if choices.iter().any(|(key, _)| *key == condition.key) {
                continue;
            }
            let values = match fixed.iter().find(|(key, _)| *key == condition.key) {
                Some((_, value)) => vec![value.clone()],
                None => values_of(&condition.key, statements, actor, reach),
            };
            total = total.saturating_mul(values.len());
            choices.push((&condition.key, values));
        }
    }
    if total > MAX_REQUESTS {
        return Err(Doubt::TooComplex);
    }
    let cost: usize = statements
        .iter()
        .map(|statement| cost_of_conditions(statement))
        .sum();
    let mut request = Vec::with_capacity(choices.len());
    for number in 0..total {
        budget.spend(cost)?;
        request.clear();
        let mut rest = number;
        for (key, values) in &choices {
            request.push((*key, &values[rest % values.len()]));
            rest /= values.len();
        }
        if visit(&request, budget).is_break() {
            break;
        }
    }
    Ok(())
}

/// The values worth trying under one key. Never empty.
fn values_of<'p>(key: &'p str, statements: &[&'p Statement], actor: &Actor, reach: Reach) -> Vec<Has<'p>> {
    let conditions = statements.iter().flat_map(|statement| &statement.conditions);
    let uses: Vec<&Condition> = conditions.filter(|condition| condition.key == key).collect();
    let mut values = match keys::binds(key) {
        Binds::CallerAccount => of_caller(actor, |account, _| vec![Has::one(account)]),
        Binds::CallerOrg => of_caller(actor, |_, _| org_values(actor, |org| vec![org.to_owned()])),
        Binds::CallerOrgPaths => of_caller(actor, |_, _| org_values(actor, |org| org_paths(&uses, org))),
        Binds::CallerArn => of_caller(actor, |account, arn| caller_arns(&uses, account, arn)),
        Binds::CallerUserId => of_caller(actor, |_, _| user_ids(&uses, actor)),
        Binds::CallerType => match actor.kind {
            Kind::Anonymous => vec![Has::one("Anonymous")],
            Kind::Caller { .. } => ["AssumedRole", "User", "Account", "FederatedUser"]
                .map(Has::one)
                .into(),
            Kind::Service { .. } | Kind::Federated(_) => vec![Has::Nothing],
        },
        Binds::IsService => vec![Has::one(matches!(actor.kind, Kind::Service { .. }).to_string())],
        Binds::ServiceName => service_names(&uses, actor),
        Binds::SourceAccount => of_source(actor, |account| vec![Has::one(account)]),
        Binds::SourceArn => of_source(actor, |account| names_in(&uses, account)),
        Binds::SourceOrg => of_source(actor, |_| org_values(actor, |org| vec![org.to_owned()])),
        Binds::SourceOrgPaths => of_source(actor, |_| org_values(actor, |org| org_paths(&uses, org))),
        Binds::EndpointAccount => {
            let account = actor.account().unwrap_or("999999999999");
            of_endpoint(actor, account.to_owned())
        }
        Binds::EndpointOrg => of_endpoint(actor, STRANGE_ORG.to_owned()),
        Binds::EndpointOrgPaths => of_endpoint(actor, format!("{STRANGE_ORG}/r-any/ou-any/")),
        Binds::Address => addresses(&uses, actor, reach),
        Binds::Network => networks(&uses, actor, reach),
        Binds::EncryptionContext => match &actor.kind {
            Kind::Service { account, .. } => {
                let mut values = names_in(&uses, account);
                values.push(Has::Nothing);
                values
            }
            Kind::Anonymous | Kind::Caller { .. } | Kind::Federated(_) => chosen(&uses),
        },
        Binds::Switch => vec![Has::Nothing, Has::one("true"), Has::one("false")],
        Binds::Free => chosen(&uses),
        Binds::Resource => vec![Has::Unclear(Doubt::ResourceProperty(key))],
        Binds::Unknown => vec![Has::Unclear(Doubt::UnknownKey(key))],
    };
    values.dedup();
    if values.is_empty() {
        values.push(Has::Nothing);
    }
    values
}

/// Values that only a signed caller has.
fn of_caller<'p>(actor: &Actor, values: impl FnOnce(&str, Option<&str>) -> Vec<Has<'p>>) -> Vec<Has<'p>> {
    match &actor.kind {
        Kind::Caller { account, arn } => values(account, arn.as_deref()),
        Kind::Anonymous | Kind::Service { .. } | Kind::Federated(_) => vec![Has::Nothing],
    }
}

/// Values that only a service has that acts for somebody.
fn of_source<'p>(actor: &Actor, values: impl FnOnce(&str) -> Vec<Has<'p>>) -> Vec<Has<'p>> {
    match &actor.kind {
        Kind::Service { account, .. } => values(account),
        Kind::Anonymous | Kind::Caller { .. } | Kind::Federated(_) => vec![Has::Nothing],
    }
}

/// Values of a call through a private endpoint of the actor's own.
fn of_endpoint<'p>(actor: &Actor, value: String) -> Vec<Has<'p>> {
    match actor.kind {
        Kind::Service { .. } => vec![Has::Nothing],
        Kind::Anonymous | Kind::Caller { .. } | Kind::Federated(_) => vec![Has::Nothing, Has::one(value)],
    }
}

fn caller_arns<'p>(uses: &[&'p Condition], account: &str, arn: Option<&str>) -> Vec<Has<'p>> {
    match arn {
        Some(arn) => vec![Has::one(principal_arn(account, arn))],
        None => {
            let mut values = vec![Has::one(format!("arn:aws:iam::{account}:role/any"))];
            values.extend(in_reach(uses, account));
            values
        }
    }
}

/// The unique id: a stranger's is none of those that the policy names, but the session's name is free.
fn user_ids<'p>(uses: &[&'p Condition], actor: &Actor) -> Vec<Has<'p>> {
    let mut values = vec![Has::one("AROASTRANGERSTRANGER:any")];
    for value in uses.iter().flat_map(|condition| &condition.values) {
        let id_is_open = value.split(':').next().is_some_and(pattern::has_wildcard);
        if id_is_open || actor.outsider.is_named() {
            values.push(Has::one(pattern::instance(value, "any")));
        }
    }
    values
}

/// Names of resources of the account.
fn names_in<'p>(uses: &[&'p Condition], account: &str) -> Vec<Has<'p>> {
    let mut values = vec![Has::one(format!("arn:aws:any:any-region-1:{account}:any/any"))];
    values.extend(in_reach(uses, account));
    values
}

fn org_values<'p>(actor: &Actor, value: impl Fn(&str) -> Vec<String>) -> Vec<Has<'p>> {
    let mut values: Vec<Has<'p>> = actor.orgs.iter().map(|org| Has::Values(value(org))).collect();
    if actor.may_lack_org {
        values.push(Has::Nothing);
    }
    values
}

/// A path inside the organisation; one that the policy names if it names one there.
fn org_paths(uses: &[&Condition], org: &str) -> Vec<String> {
    for value in uses.iter().flat_map(|condition| &condition.values) {
        let (wanted, rest) = value.split_once('/').unwrap_or((value, ""));
        if pattern::wildcard(wanted, org) {
            return vec![format!("{org}/{}", pattern::instance(rest, "any/"))];
        }
    }
    vec![format!("{org}/r-any/ou-any/")]
}

/// `aws:PrincipalArn` of a session is the ARN of its role.
fn principal_arn(account: &str, arn: &str) -> String {
    match arn.split_once(":assumed-role/") {
        Some((_, rest)) => {
            let role = rest.split('/').next().unwrap_or(rest);
            format!("arn:aws:iam::{account}:role/{role}")
        }
        None => arn.to_owned(),
    }
}

/// Names among the policy's values that somebody in the account can take: those that leave the account open or name
/// it. A name without an account (an S3 bucket) belongs to whoever has it; only a pattern leaves it open.
fn in_reach<'p>(uses: &[&'p Condition], account: &str) -> Vec<Has<'p>> {
    let mut values = Vec::new();
    for value in uses.iter().flat_map(|condition| &condition.values) {
        let Some(wanted) = pattern::arn_account(value) else {
            if pattern::has_wildcard(value) {
                values.push(Has::one(pattern::instance(value, "any")));
            }
            continue;
        };
        if wanted.is_empty() && pattern::has_wildcard(value) {
            values.push(Has::one(pattern::instance(value, "any")));
        } else if !wanted.is_empty() && pattern::wildcard(wanted, account) {
            let fields = value.splitn(6, ':').enumerate().map(|(index, field)| {
                if index == 4 {
                    account.to_owned()
                } else {
                    pattern::instance(field, "any")
                }
            });
            values.push(Has::one(fields.collect::<Vec<_>>().join(":")));
        }
    }
    values
}

fn service_names<'p>(uses: &[&'p Condition], actor: &Actor) -> Vec<Has<'p>> {
    match &actor.kind {
        Kind::Service { name: Some(name), .. } => vec![Has::one(name.clone())],
        Kind::Service { name: None, .. } => {
            let mut values = vec![Has::one("any.amazonaws.com")];
            let named = uses.iter().flat_map(|condition| &condition.values);
            values.extend(named.map(|value| Has::one(pattern::instance(value, "any"))));
            values
        }
        Kind::Anonymous | Kind::Caller { .. } | Kind::Federated(_) => vec![Has::Nothing],
    }
}

fn ranges(uses: &[&Condition]) -> Vec<pattern::Range> {
    let values = uses.iter().flat_map(|condition| &condition.values);
    values.filter_map(|value| pattern::Range::parse(value)).collect()
}

fn addresses<'p>(uses: &[&'p Condition], actor: &Actor, reach: Reach) -> Vec<Has<'p>> {
    // Services do not present an address, and neither does a call through a private endpoint.
    let mut values = vec![Has::Nothing];
    if matches!(actor.kind, Kind::Service { .. }) {
        return values;
    }
    let ranges = ranges(uses);
    let far = ["198.51.100.77", "203.0.113.77", "192.0.2.77", "8.8.4.4"]
        .into_iter()
        .find(|far| {
            let address = far.parse().expect("the addresses above are addresses");
            !ranges
                .iter()
                .any(|range| !range.is_the_internet() && range.contains(address))
        });
    values.extend(far.map(Has::one));
    for range in ranges {
        if reach == Reach::WithinNetwork || range.is_the_internet() {
            values.push(Has::one(range.member().to_string()));
        }
    }
    values
}

fn networks<'p>(uses: &[&'p Condition], actor: &Actor, reach: Reach) -> Vec<Has<'p>> {
    let mut values = vec![Has::Nothing];
    if matches!(actor.kind, Kind::Service { .. }) {
        return values;
    }
    values.push(Has::one("vpc-0stranger"));
    for value in uses.iter().flat_map(|condition| &condition.values) {
        if reach == Reach::WithinNetwork || pattern::has_wildcard(value) {
            values.push(Has::one(pattern::instance(value, "any")));
        }
    }
    values
}

/// Values of a key that the caller chooses.
fn chosen<'p>(uses: &[&'p Condition]) -> Vec<Has<'p>> {
    let mut values = vec![Has::Nothing];
    let mut texts = false;
    for condition in uses {
        for value in &condition.values {
            match condition.operator.test {
                Test::Text | Test::TextIgnoreCase => {
                    texts = true;
                    values.push(Has::one(value.clone()));
                }
                Test::Like | Test::Arn => {
                    texts = true;
                    values.push(Has::one(pattern::instance(value, "any")));
                }
                Test::Number(_) => {
                    if let Ok(number) = value.trim().parse::<f64>() {
                        values.extend([number - 1.0, number, number + 1.0].map(|n| Has::one(n.to_string())));
                    }
                }
                Test::Bool => values.extend([Has::one("true"), Has::one("false")]),
                Test::Address => {
                    values.extend(pattern::Range::parse(value).map(|r| Has::one(r.member().to_string())));
                    values.push(Has::one("192.0.2.78"));
                }
                Test::Null => texts = true,
                // A time or an operator that is not known: the comparison itself says that it is unclear.
                Test::Date | Test::Unknown => values.push(Has::one("any")),
            }
        }
    }
    if texts {
        values.push(Has::one("any-other"));
    }
    values.sort_by_key(|value| match value {
        Has::Nothing => String::new(),
        Has::Values(values) => values.join("\u{0}"),
        Has::Unclear(_) => String::new(),
    });
    values
}
