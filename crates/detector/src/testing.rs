//! Builds small worlds for tests: events, a detector, and a log of what it said.

use std::sync::Arc;
use std::time::Duration;

use keyvigil_model::action::Action;
use keyvigil_model::batch::Coverage;
use keyvigil_model::event::{AuditEvent, Network, Outcome, Via};
use keyvigil_model::facts::Facts;
use keyvigil_model::finding::{FindingChange, Suppression};
use keyvigil_model::health::{SightState, SourceHealth};
use keyvigil_model::id::{AccountId, DedupeKey, EventId, KeyId, Region, ResourceId, SourceId};
use keyvigil_model::key::{KeyForm, KeyRef};
use keyvigil_model::policy_text::{PolicyLanguage, PolicyText};
use keyvigil_model::principal::{Principal, PrincipalKind};
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::{ResourceKind, ResourceRef};
use keyvigil_model::time::Timestamp;
use keyvigil_model::untrusted::Untrusted;
use keyvigil_model::verdict::UnknownReason;

use crate::check::CheckMeta;
use crate::policy::Policy;
use crate::policy::trust::Partner;
use crate::step::{Input, SavedState, Step};
use crate::{Detector, StateChange};

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

/// A key of an account.
pub(crate) fn key_ref(account: &str, name: &str) -> KeyRef {
    KeyRef {
        id: KeyId::new(format!("arn:aws:kms:eu-west-1:{account}:key/{name}")),
        form: KeyForm::Canonical,
        account: Some(AccountId::from(account)),
        region: Some(Region::from("eu-west-1")),
        alias: None,
    }
}

/// The facts of a key policy that was set.
pub(crate) fn key_policy(text: &str) -> Facts {
    let policy = PolicyText {
        language: PolicyLanguage::AwsResource,
        document: text.into(),
    };
    Facts::Policy {
        policy: Some(policy),
        lockout_check_bypassed: false,
    }
}

/// The facts of secrets that were read.
pub(crate) fn secrets(names: &[&str]) -> Facts {
    Facts::SecretRead {
        secrets: names.iter().map(|name| Untrusted::from(*name)).collect(),
        decrypted: true,
    }
}

/// An event in the making.
#[derive(Clone)]
pub(crate) struct Ev(pub(crate) AuditEvent);

/// A successful call by alice on a key of the own account at the start.
pub(crate) fn ev(action: Action) -> Ev {
    let mut principal = Principal::unknown("");
    principal.kind = PrincipalKind::Human;
    principal.account = Some(AccountId::from(OWN));
    Ev(AuditEvent {
        id: EventId::from(""),
        dedupe: DedupeKey([0; 16]),
        time: start(),
        provider: Provider::Aws,
        account: AccountId::from(OWN),
        region: Region::from("eu-west-1"),
        service: Arc::from("service"),
        operation: Arc::from(action.as_str()),
        action,
        outcome: Outcome::Success,
        error_code: None,
        principal,
        via: Via::default(),
        network: Network {
            source: Some(Untrusted::from("198.51.100.7")),
            ..Network::default()
        },
        keys: vec![key_ref(OWN, "k0")],
        resource: None,
        encryption_context: Vec::new(),
        facts: Facts::None,
        shared_id: None,
        amends: None,
        truncated: false,
        raw: Arc::from(&b"{}"[..]),
    })
    .by("alice")
}

impl Ev {
    pub(crate) fn by(mut self, user: &str) -> Self {
        self.0.principal.id = format!("arn:aws:iam::{OWN}:user/{user}").as_str().into();
        self
    }

    pub(crate) fn service(mut self, name: &str) -> Self {
        self.0.principal.kind = PrincipalKind::CloudService;
        self.0.principal.id = name.into();
        self
    }

    pub(crate) fn via(mut self, service: &str) -> Self {
        self.0.via.service = Some(Untrusted::from(service));
        self
    }

    pub(crate) fn credential(mut self, id: &str) -> Self {
        self.0.principal.credential = Some(Untrusted::from(id));
        self
    }

    pub(crate) fn source(mut self, address: &str) -> Self {
        self.0.network.source = Some(Untrusted::from(address));
        self
    }

    pub(crate) fn caller_in(mut self, account: &str) -> Self {
        self.0.principal.account = Some(AccountId::from(account));
        self
    }

    pub(crate) fn in_log(mut self, account: &str) -> Self {
        self.0.account = AccountId::from(account);
        self
    }

    pub(crate) fn shared(mut self, id: &str) -> Self {
        self.0.shared_id = Some(Untrusted::from(id));
        self
    }

    pub(crate) fn key(mut self, name: &str) -> Self {
        self.0.keys = vec![key_ref(OWN, name)];
        self
    }

    pub(crate) fn key_in(mut self, account: &str) -> Self {
        self.0.keys = vec![key_ref(account, "k0")];
        self
    }

    pub(crate) fn no_key(mut self) -> Self {
        self.0.keys.clear();
        self
    }

    pub(crate) fn resource(mut self, id: &str) -> Self {
        self.0.resource = Some(ResourceRef {
            id: ResourceId::from(id),
            kind: ResourceKind::Other,
            account: Some(AccountId::from(OWN)),
            region: None,
        });
        self
    }

    pub(crate) fn kind(mut self, kind: ResourceKind) -> Self {
        if let Some(resource) = &mut self.0.resource {
            resource.kind = kind;
        }
        self
    }

    pub(crate) fn facts(mut self, facts: Facts) -> Self {
        self.0.facts = facts;
        self
    }

    pub(crate) fn denied(mut self) -> Self {
        self.0.outcome = Outcome::Denied;
        self
    }

    pub(crate) fn failed(mut self) -> Self {
        self.0.outcome = Outcome::Failed;
        self
    }

    pub(crate) fn second(mut self, seconds: i64) -> Self {
        self.0.time = self.0.time.plus(Duration::from_secs(seconds.unsigned_abs()));
        self
    }

    pub(crate) fn minute(self, minutes: i64) -> Self {
        self.second(minutes * 60)
    }

    pub(crate) fn day(self, days: i64) -> Self {
        self.minute(days * 1440)
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
