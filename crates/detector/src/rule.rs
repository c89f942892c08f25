//! What a rule is, what it sees, and how it reports.

use std::sync::Arc;

use keyvigil_model::action::ActionSet;
use keyvigil_model::batch::Coverage;
use keyvigil_model::event::{AuditEvent, Outcome};
use keyvigil_model::finding::{Advice, Context, Evidence, Finding, FindingKind};
use keyvigil_model::health::SourceHealth;
use keyvigil_model::id::{AccountId, CheckId, EventId, FindingId, Fingerprint, Region, SourceId};
use keyvigil_model::key::KeyRef;
use keyvigil_model::principal::PrincipalKind;
use keyvigil_model::provider::Provider;
use keyvigil_model::severity::Severity;
use keyvigil_model::time::Timestamp;
use keyvigil_model::untrusted::Untrusted;

use crate::check::CheckMeta;
use crate::inventory::Inventory;
use crate::policy::{Policy, selector};
use crate::state::window::Mark;
use crate::state::{Hash, State};

/// Looks for one thing in the stream of events. A rule keeps nothing itself: what it must remember is in
/// [`State`], so that it survives a restart.
pub trait Rule: Sync {
    /// What it is.
    fn meta(&self) -> &'static CheckMeta;

    /// The actions whose events it must see.
    fn actions(&self) -> ActionSet {
        ActionSet::EMPTY
    }

    /// Looks at an event with one of its actions.
    fn event(&self, _scene: &mut Scene<'_>) {}

    /// Rules whose findings it follows. A rule that follows others runs after them on the same event.
    fn follows(&self) -> &'static [&'static str] {
        &[]
    }

    /// Looks at an event on which at least one of the followed rules fired; [`Scene::fired`] says which.
    fn followed(&self, _scene: &mut Scene<'_>) {}

    /// Looks at what a source covered.
    fn coverage(&self, _stage: &mut Stage<'_>, _source: &SourceId, _provider: Provider, _seen: &Coverage) {}

    /// Looks at how a source fared.
    fn health(&self, _stage: &mut Stage<'_>, _health: &SourceHealth) {}

    /// Time passed.
    fn tick(&self, _stage: &mut Stage<'_>) {}
}

/// What the policy says about a key; looked up once and kept.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct KeyClass {
    /// One of the policy's critical keys.
    pub critical: bool,
    /// One of the policy's decoys.
    pub decoy: bool,
    /// The entries of `authorised` that cover it, by index.
    pub authorised: Vec<usize>,
}

/// One event with everything that is known around it.
pub struct Scene<'a> {
    /// The event.
    pub event: &'a AuditEvent,
    /// The source that delivered it.
    pub source: &'a SourceId,
    /// The first key of the event, resolved through the inventory.
    pub key: Option<&'a KeyRef>,
    /// What the policy says about that key.
    pub class: &'a KeyClass,
    /// Identity of the principal in the state.
    pub who: Hash,
    /// Identity of the key in the state; zeros if there is none.
    pub which: Hash,
    /// The policy.
    pub policy: &'a Policy,
    /// What snapshots say.
    pub inventory: &'a Inventory,
    /// What is remembered.
    pub state: &'a mut State,
    /// Rules that fired on this event so far and were not excepted.
    pub fired: Vec<&'static str>,
    /// What the rules want to report.
    pub drafts: Vec<Draft>,
}

/// Everything around an observation that is not an event.
pub struct Stage<'a> {
    /// The driver's time.
    pub now: Timestamp,
    /// Since when keyvigil has been running without a break.
    pub resumed: Timestamp,
    /// The newest event time.
    pub watermark: Timestamp,
    /// The policy.
    pub policy: &'a Policy,
    /// What snapshots say.
    pub inventory: &'a Inventory,
    /// What is remembered.
    pub state: &'a mut State,
    /// What the rules want to report.
    pub drafts: Vec<Draft>,
    /// Fingerprints whose state is gone because the source speaks again.
    pub returned: Vec<Fingerprint>,
}

/// How often the same finding may be reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fold {
    /// Every occurrence.
    Every,
    /// Once an hour of event time, unless it became more severe.
    Hourly,
    /// Once while it is open, unless it became more severe.
    WhileOpen,
}

/// Whether the rule compares with what is usual and must learn that first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Learns {
    /// It fires from the first event on.
    No,
    /// Its findings are suppressed during the learning window of the account.
    Yes,
}

/// Who chose the name of a finding's subject.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Naming {
    /// The provider, or the organisation.
    Fixed,
    /// Whoever made the call: the number of such findings is bounded.
    Chosen,
}

/// What a denied or failed call means for a finding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attempts {
    /// One step lower, titled as an attempt.
    Lower,
    /// The attempt is what the rule looks for.
    Same,
}

/// A finding as a rule proposes it. The engine adds identity, history, exceptions and learning.
pub struct Draft {
    /// The finding; its id and fingerprint are filled in later.
    pub finding: Finding,
    /// The account that holds what it is about.
    pub home: AccountId,
    /// What it is about, beside rule and account: equal subjects fold.
    pub subject: Vec<String>,
    /// How often it may be reported.
    pub fold: Fold,
    /// Whether it must be learned first.
    pub learns: Learns,
    /// Who named the subject.
    pub naming: Naming,
    /// What a refusal means.
    pub attempts: Attempts,
    /// The rule.
    pub meta: &'static CheckMeta,
}

impl Draft {
    /// A draft about something that is the case at `time`.
    pub fn of_state(
        meta: &'static CheckMeta,
        source: &SourceId,
        place: (Provider, AccountId, Region),
        time: Timestamp,
    ) -> Self {
        let (provider, account, region) = place;
        let home = account.clone();
        let finding = Finding {
            id: FindingId::from(""),
            fingerprint: Fingerprint([0; 16]),
            check: CheckId::from(meta.id),
            kind: FindingKind::State,
            title: meta.title.to_owned(),
            summary: Untrusted::from(""),
            severity: meta.severity,
            outcome: Outcome::Success,
            provider,
            account,
            region,
            time,
            principal: None,
            key: None,
            resource: None,
            network: None,
            event_ids: Vec::new(),
            references: meta.references.to_vec(),
            source: source.clone(),
            evidence: Vec::new(),
            advice: Vec::new(),
            context: Context::default(),
            raw: Vec::new(),
        };
        Self {
            finding,
            home,
            subject: Vec::new(),
            fold: Fold::Every,
            learns: Learns::No,
            naming: Naming::Fixed,
            attempts: Attempts::Same,
            meta,
        }
    }

    /// Replaces the title. It must not hold text from the event.
    #[must_use]
    pub fn titled(mut self, title: impl Into<String>) -> Self {
        self.finding.title = title.into();
        self
    }

    /// Replaces the severity.
    #[must_use]
    pub fn severe(mut self, severity: Severity) -> Self {
        self.finding.severity = severity;
        self
    }

    /// Says what it is about.
    #[must_use]
    pub fn about(mut self, subject: &[&str]) -> Self {
        self.subject = subject.iter().map(|part| (*part).to_owned()).collect();
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn fact(mut self, label: &'static str, value: impl Into<Arc<str>>) -> Self {
        self.finding.evidence.push(Evidence {
            label,
            value: Untrusted::new(value),
        });
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn advise(mut self, advice: Vec<Advice>) -> Self {
        self.finding.advice.extend(advice);
        self
    }

    /// Adds a sentence to the summary.
    #[must_use]
    pub fn saying(mut self, sentence: &str) -> Self {
        let before = self.finding.summary.raw();
        let text = if before.is_empty() {
            sentence.to_owned()
        } else {
            format!("{before} {sentence}")
        };
        self.finding.summary = Untrusted::new(text);
        self
    }

    /// Says whether it is normal.
    #[must_use]
    pub fn normally(mut self, sentence: impl Into<String>) -> Self {
        self.finding.context.normal = Some(sentence.into());
        self
    }

    /// Puts earlier records before the present one.
    #[must_use]
    pub fn resting_on(mut self, earlier: Vec<EventId>) -> Self {
        let present = std::mem::take(&mut self.finding.event_ids);
        let mut ids: Vec<EventId> = Vec::new();
        for id in earlier.into_iter().chain(present) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        // The newest fifty: the oldest of a long series say least.
        let extra = ids.len().saturating_sub(50);
        ids.drain(..extra);
        self.finding.event_ids = ids;
        self
    }
}

impl<'a> Scene<'a> {
    /// A draft about this event: its subject is the key, else the resource, else the operation.
    pub fn draft(&self, meta: &'static CheckMeta) -> Draft {
        let event = self.event;
        let place = (event.provider, event.account.clone(), event.region.clone());
        let mut draft = Draft::of_state(meta, self.source, place, event.time);
        let finding = &mut draft.finding;
        finding.kind = FindingKind::Event;
        finding.outcome = event.outcome;
        finding.principal = Some(event.principal.clone());
        finding.key = self.key.cloned();
        finding.resource = event.resource.clone();
        finding.network = Some(event.network.clone());
        finding.event_ids = vec![event.id.clone()];
        finding.raw = vec![event.raw.clone()];
        finding.summary = Untrusted::new(self.sentence());
        draft.subject = vec![self.target().to_owned()];
        if let Some(account) = self.key.and_then(|key| key.account.as_ref()) {
            draft.home = account.clone();
        }
        draft.attempts = Attempts::Lower;
        draft
    }

    /// A draft about the resource of this event, whichever keys it names besides.
    pub fn resource_draft(&self, meta: &'static CheckMeta) -> Draft {
        let mut draft = self.draft(meta);
        let Some(resource) = &self.event.resource else {
            return draft;
        };
        draft.subject = vec![resource.id.as_str().to_owned()];
        draft.home = resource
            .account
            .clone()
            .unwrap_or_else(|| self.event.account.clone());
        draft
    }

    /// What the event is about: the key, else the resource, else the operation.
    pub fn target(&self) -> &'a str {
        if let Some(key) = self.key {
            return key.id.as_str();
        }
        match &self.event.resource {
            Some(resource) => resource.id.as_str(),
            None => &self.event.operation,
        }
    }

    /// The event in one sentence.
    fn sentence(&self) -> String {
        let event = self.event;
        let how = match event.outcome {
            Outcome::Success => "",
            Outcome::Denied => " and was refused",
            Outcome::Failed => ", which failed",
            Outcome::Unknown => "; the record does not say with what result",
        };
        let target = match (&event.resource, self.key) {
            (_, Some(key)) => format!(" on key {}", key.id),
            (Some(resource), None) => format!(" on {}", resource.id),
            (None, None) => String::new(),
        };
        format!("{} called {}{target}{how}.", event.principal.id, event.operation)
    }

    /// Reports a finding.
    pub fn report(&mut self, draft: Draft) {
        self.drafts.push(draft);
    }

    /// The provider acts for itself, or the policy counts the principal as one of its services.
    pub fn is_service(&self) -> bool {
        let principal = &self.event.principal;
        principal.kind == PrincipalKind::CloudService
            || selector::any(&self.policy.service_principals, principal.id.as_str())
    }

    /// A service acts on behalf of the principal (`invokedBy`).
    pub fn is_through_service(&self) -> bool {
        self.event.via.service.is_some()
    }

    /// The base severity, one step higher for a critical key.
    pub fn raised_if_critical(&self, severity: Severity) -> Severity {
        if self.class.critical {
            severity.raised()
        } else {
            severity
        }
    }

    /// The event as a mark in a window. A correction counts as the record that it corrects.
    pub fn mark(&self, tag: u64) -> Mark {
        let id = self.event.amends.as_ref().unwrap_or(&self.event.id);
        Mark {
            at: self.event.time.as_micros(),
            tag,
            event: id.as_str().into(),
        }
    }

    /// The account that holds the key; the account of the log if the key does not say.
    pub fn home(&self) -> &'a AccountId {
        self.key
            .and_then(|key| key.account.as_ref())
            .unwrap_or(&self.event.account)
    }
}

/// The first eight bytes of a hash, to tell marks apart.
pub fn tag(hash: &Hash) -> u64 {
    u64::from_le_bytes(*hash.first_chunk().expect("16 bytes hold 8"))
}
