//! Who is told about what, how often it is repeated, and where links lead.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use keyvigil_model::id::{CheckId, ReceiverId};
use keyvigil_model::severity::Severity;

/// Everything that an operator decides about alerts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlertSettings {
    /// Who is told. An alert goes to every receiver of which one route takes it, once.
    pub routes: Vec<Route>,
    /// Gets what another receiver could not deliver, and alerts of checks that no route names.
    pub fallback: Option<ReceiverId>,
    /// When an open alert is told again.
    pub repeat_after: RepeatAfter,
    /// What messages link to.
    pub links: LinkSettings,
    /// Alerts about events of at most medium severity that nobody dealt with end after this long; `None`: never.
    /// High and critical ones never end by themselves.
    pub expire_events_after: Option<Duration>,
    /// More open alerts than this are folded into one alert a check. Bounds memory.
    pub max_open: usize,
}

impl Default for AlertSettings {
    fn default() -> Self {
        Self {
            routes: Vec::new(),
            fallback: None,
            repeat_after: RepeatAfter::default(),
            links: LinkSettings::default(),
            expire_events_after: Some(Duration::from_secs(30 * 86_400)),
            max_open: 10_000,
        }
    }
}

/// What one receiver gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// Who gets it.
    pub receiver: ReceiverId,
    /// The lowest severity that it gets.
    pub min_severity: Severity,
    /// The checks that it gets; empty: all of them.
    pub checks: Vec<CheckGlob>,
}

impl Route {
    /// A route that takes every check from `min_severity` on.
    pub fn all(receiver: ReceiverId, min_severity: Severity) -> Self {
        Self {
            receiver,
            min_severity,
            checks: Vec::new(),
        }
    }

    fn names(&self, check: &CheckId) -> bool {
        self.checks.is_empty() || self.checks.iter().any(|glob| glob.matches(check))
    }
}

/// A pattern over rule and control ids in which `*` stands for any run of characters: `key.*`, `*.kms.*`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckGlob(String);

impl CheckGlob {
    /// Takes the pattern as it is; every text is a pattern.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// The pattern.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the pattern covers the whole id.
    pub fn matches(&self, check: &CheckId) -> bool {
        let mut rest = check.as_str();
        let Some((head, tail)) = self.0.split_once('*') else {
            return self.0 == rest;
        };
        let Some(after_head) = rest.strip_prefix(head) else {
            return false;
        };
        rest = after_head;
        let mut pieces: Vec<&str> = tail.split('*').collect();
        let last = pieces.pop().unwrap_or("");
        // The leftmost place for each piece leaves the most room for those that follow.
        for piece in pieces {
            let Some(at) = rest.find(piece) else {
                return false;
            };
            rest = rest.get(at + piece.len()..).unwrap_or("");
        }
        rest.ends_with(last)
    }
}

/// How long after the last message an open alert is told again; `None`: never.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RepeatAfter {
    /// For critical alerts.
    pub critical: Option<Duration>,
    /// For high ones.
    pub high: Option<Duration>,
    /// For medium ones.
    pub medium: Option<Duration>,
    /// For low ones.
    pub low: Option<Duration>,
    /// For informational ones.
    pub info: Option<Duration>,
}

impl RepeatAfter {
    /// The interval of a severity.
    pub fn of(&self, severity: Severity) -> Option<Duration> {
        match severity {
            Severity::Critical => self.critical,
            Severity::High => self.high,
            Severity::Medium => self.medium,
            Severity::Low => self.low,
            Severity::Info => self.info,
        }
    }
}

impl Default for RepeatAfter {
    /// Critical every four hours, high every day, medium every week, the rest never.
    fn default() -> Self {
        let hours = |count: u64| Some(Duration::from_secs(count * 3600));
        Self {
            critical: hours(4),
            high: hours(24),
            medium: hours(7 * 24),
            low: None,
            info: None,
        }
    }
}

/// What messages link to.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct LinkSettings {
    /// Links into the provider's web console.
    pub console: ConsoleLinks,
    /// The address of keyvigil's own findings: `https://keyvigil.example.com/f/` and the finding id is appended.
    pub findings: Option<String>,
    /// The address of the runbooks: the check id is appended.
    pub runbooks: Option<String>,
}

/// Whether messages link into the provider's web console.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum ConsoleLinks {
    /// They do, wherever every part of the address matches the provider's grammar.
    #[default]
    On,
    /// They do not.
    Off,
}

impl AlertSettings {
    /// Who is told about an alert of this check and severity: each receiver once, in the order of the routes.
    pub fn receivers(&self, check: &CheckId, severity: Severity) -> Vec<ReceiverId> {
        let mut told: Vec<ReceiverId> = Vec::new();
        let mut named = false;
        for route in self.routes.iter().filter(|route| route.names(check)) {
            named = true;
            if severity >= route.min_severity && !told.contains(&route.receiver) {
                told.push(route.receiver.clone());
            }
        }
        if !named {
            told.extend(self.fallback.clone());
        }
        told
    }

    /// Whether any message can still go to this receiver.
    pub(crate) fn uses(&self, receiver: &ReceiverId) -> bool {
        self.fallback.as_ref() == Some(receiver)
            || self.routes.iter().any(|route| route.receiver == *receiver)
    }

    /// Everything that is wrong with the settings, given the receivers that exist.
    pub fn problems(&self, receivers: &[ReceiverId]) -> Vec<SettingsProblem> {
        let mut problems = Vec::new();
        let has_default = self
            .routes
            .iter()
            .any(|route| route.checks.iter().all(|glob| glob.as_str() == "*"));
        if !has_default && self.fallback.is_none() {
            problems.push(SettingsProblem::NoDefaultRoute);
        }
        let known: BTreeSet<&ReceiverId> = receivers.iter().collect();
        for (index, route) in self.routes.iter().enumerate() {
            if !known.contains(&route.receiver) {
                problems.push(SettingsProblem::UnknownReceiver {
                    place: format!("routes[{index}].receiver"),
                    receiver: route.receiver.clone(),
                    known: receivers.to_vec(),
                });
            }
            if route.checks.iter().any(|glob| glob.as_str().is_empty()) {
                problems.push(SettingsProblem::EmptyPattern { route: index });
            }
        }
        if let Some(fallback) = &self.fallback
            && !known.contains(fallback)
        {
            problems.push(SettingsProblem::UnknownReceiver {
                place: "fallback".to_owned(),
                receiver: fallback.clone(),
                known: receivers.to_vec(),
            });
        }
        if self.max_open == 0 {
            problems.push(SettingsProblem::NoRoom);
        }
        problems
    }
}

/// Something wrong with [`AlertSettings`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SettingsProblem {
    /// Some alerts would reach nobody.
    NoDefaultRoute,
    /// A route or the fallback names a receiver that does not exist.
    UnknownReceiver {
        /// The key.
        place: String,
        /// The name used.
        receiver: ReceiverId,
        /// The names that exist.
        known: Vec<ReceiverId>,
    },
    /// A route has an empty pattern, which matches nothing.
    EmptyPattern {
        /// The route, counted from zero.
        route: usize,
    },
    /// `max_open` is zero.
    NoRoom,
}

impl fmt::Display for SettingsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDefaultRoute => f.write_str(
                "no default route: add a route without `checks`, or a fallback receiver, so that no alert is lost",
            ),
            Self::UnknownReceiver { place, receiver, known } => {
                write!(f, "{place}: unknown receiver {receiver:?}; ")?;
                if known.is_empty() {
                    return f.write_str("no receiver is configured");
                }
                let names: Vec<&str> = known.iter().map(ReceiverId::as_str).collect();
                write!(f, "accepted: {}", names.join(", "))
            }
            Self::EmptyPattern { route } => write!(
                f,
                "routes[{route}].checks: an empty pattern matches nothing; accepted: check ids with `*`, such as key.*"
            ),
            Self::NoRoom => f.write_str("max_open: 0 leaves no room for alerts; accepted: 1 and more"),
        }
    }
}

impl std::error::Error for SettingsProblem {}

#[cfg(test)]
mod tests;
