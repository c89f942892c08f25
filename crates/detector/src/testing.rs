//! Builds small worlds for tests: events, a detector, and a log of what it said.

use std::sync::Arc;
use std::time::Duration;

use keyvigil_model::batch::Coverage;
use keyvigil_model::finding::{FindingChange, Suppression};
use keyvigil_model::health::{SightState, SourceHealth};
use keyvigil_model::id::{AccountId, EventId, Region, SourceId};
use keyvigil_model::provider::Provider;
use keyvigil_model::time::Timestamp;
use keyvigil_model::verdict::UnknownReason;

use crate::check::CheckMeta;
use crate::policy::Policy;
use crate::policy::trust::Partner;
use crate::step::{Input, SavedState, Step};
use crate::{Detector, StateChange};

pub(crate) use event::{Ev, ev, key_policy, key_ref, secrets};

mod event;

/// The account of the tests.
pub(crate) const OWN: &str = "111111111111";

/// 2026-01-01T00:00:00Z, where every test starts.
pub(crate) fn start() -> Timestamp {
    Timestamp::from_secs(1_767_225_600)
}

/// The default policy with an organisation of one account and a partner.
pub(crate) fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.organisation.accounts = vec![OWN.to_owned()];
    policy.partners = vec![Partner {
        account: "222222222222".to_owned(),
        name: "Partner".to_owned(),
        owner: "security".to_owned(),
        expires: "2030-01-01".to_owned(),
    }];
    policy
}

/// The same without a learning window.
pub(crate) fn learned() -> Policy {
    Policy {
        learning_days: 0,
        ..policy()
    }
}

/// A detector and what it said.
pub(crate) struct World {
    pub(crate) detector: Detector,
    pub(crate) steps: Vec<Step>,
    told: Vec<String>,
    only: Option<&'static str>,
    made: usize,
}

impl World {
    pub(crate) fn new(policy: Policy) -> Self {
        assert_eq!(policy.problems(), []);
        let (detector, problems) = Detector::new(policy, []);
        assert_eq!(problems, []);
        Self {
            detector,
            steps: Vec::new(),
            told: Vec::new(),
            only: None,
            made: 0,
        }
    }

    /// Feeds events in one batch; each gets an id of its own. The clock is one second after the newest.
    pub(crate) fn events(&mut self, events: &[Ev]) {
        let mut list = Vec::new();
        for event in events {
            let mut event = event.0.clone();
            if event.id.as_str().is_empty() {
                event.id = EventId::new(format!("e{}", self.made));
            }
            self.made += 1;
            list.push(event);
        }
        let newest = list.iter().map(|event| event.time).max().unwrap_or_else(start);
        let now = newest.plus(Duration::from_secs(1));
        self.step(now, |source| Input::Events {
            source,
            events: &list,
        });
    }

    pub(crate) fn tick(&mut self, day: i64) {
        self.tick_minute(day * 1440);
    }

    pub(crate) fn tick_minute(&mut self, minute: i64) {
        self.step(
            start().plus(Duration::from_secs(minute.unsigned_abs() * 60)),
            |_| Input::Tick,
        );
    }

    pub(crate) fn covered(&mut self, minute: i64, records: u64, key_records: u64) {
        let seen = [Coverage {
            account: AccountId::from(OWN),
            region: Region::from("eu-west-1"),
            records,
            key_records,
            newest: None,
        }];
        let now = start().plus(Duration::from_secs(minute.unsigned_abs() * 60));
        self.step(now, |source| Input::Coverage {
            source,
            provider: Provider::Aws,
            seen: &seen,
        });
    }

    pub(crate) fn blind(&mut self, minute: i64, reason: UnknownReason) {
        self.health(
            minute,
            SightState::Blind {
                call: Arc::from("kms:ListKeys"),
                reason,
            },
        );
    }

    pub(crate) fn seeing(&mut self, minute: i64) {
        self.health(minute, SightState::Seeing);
    }

    fn health(&mut self, minute: i64, state: SightState) {
        let health = SourceHealth {
            source: SourceId::from("test"),
            provider: Provider::Aws,
            account: None,
            region: None,
            state,
        };
        let now = start().plus(Duration::from_secs(minute.unsigned_abs() * 60));
        self.step(now, |_| Input::Health(&health));
    }

    pub(crate) fn step<'a>(&mut self, now: Timestamp, input: impl FnOnce(&'a SourceId) -> Input<'a>) {
        let source: &'static SourceId = Box::leak(Box::new(SourceId::from("test")));
        let step = self.detector.step(now, input(source));
        self.take(step);
    }

    /// Notes what a step said.
    pub(crate) fn take(&mut self, step: Step) {
        for change in &step.findings {
            self.tell(change);
        }
        self.steps.push(step);
    }

    fn tell(&mut self, change: &FindingChange) {
        let line = match change {
            FindingChange::Raised(finding) => {
                if self.only.is_some_and(|only| only != finding.check.as_str()) {
                    return;
                }
                format!("{} {}", finding.severity, finding.check)
            }
            FindingChange::Suppressed { finding, by } => {
                if self.only.is_some_and(|only| only != finding.check.as_str()) {
                    return;
                }
                let why = match by {
                    Suppression::Learning { .. } => "learning",
                    Suppression::Exception { id, .. } => id,
                };
                format!("{why} {} {}", finding.severity, finding.check)
            }
            FindingChange::Cleared { reason, .. } => {
                if self.only.is_some() {
                    return;
                }
                format!("cleared {}", reason.as_str())
            }
        };
        self.told.push(line);
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.told.clone()
    }

    pub(crate) fn clear_log(&mut self) {
        self.told.clear();
    }

    /// Starts a new detector from what was saved.
    pub(crate) fn restart(&mut self, policy: Policy) {
        let mut rows = std::collections::BTreeMap::new();
        for change in self.steps.iter().flat_map(|step| &step.state) {
            let StateChange { space, key, value } = change;
            match value {
                Some(value) => rows.insert((*space, key.clone()), value.clone()),
                None => rows.remove(&(*space, key.clone())),
            };
        }
        let saved = rows.into_iter().map(|((space, key), value)| SavedState {
            space: space.to_owned(),
            key,
            value,
        });
        let (detector, problems) = Detector::new(policy, saved);
        assert_eq!(problems, []);
        self.detector = detector;
    }
}

/// One batch of events must make exactly these lines.
#[track_caller]
pub(crate) fn check(policy: Policy, events: &[Ev], expected: &[&str]) {
    check_apart(policy, &[events], expected);
}

/// Several batches of events must make exactly these lines.
#[track_caller]
pub(crate) fn check_apart(policy: Policy, batches: &[&[Ev]], expected: &[&str]) {
    let mut world = World::new(policy);
    for batch in batches {
        world.events(batch);
    }
    assert_eq!(world.log(), expected);
}

/// The same, looking at one rule only.
#[track_caller]
pub(crate) fn check_rule(meta: &CheckMeta, policy: Policy, events: &[Ev], expected: &[&str]) {
    check_rule_apart(meta, policy, &[events], expected);
}

/// The same in several batches.
#[track_caller]
pub(crate) fn check_rule_apart(meta: &CheckMeta, policy: Policy, batches: &[&[Ev]], expected: &[&str]) {
    let mut world = World::new(policy);
    world.only = Some(meta.id);
    for batch in batches {
        world.events(batch);
    }
    assert_eq!(world.log(), expected);
}
