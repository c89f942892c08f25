//! What a rule is, what it sees, and how it reports.

use keyvigil_model::action::ActionSet;
use keyvigil_model::batch::Coverage;
use keyvigil_model::event::{AuditEvent, Outcome};
use keyvigil_model::finding::FindingKind;
use keyvigil_model::health::SourceHealth;
use keyvigil_model::id::{AccountId, Fingerprint, SourceId};
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

pub use draft::{Attempts, Draft, Fold, Learns, Naming};

mod draft;

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
    /// Identity of the account of the log in the state.
    pub place: Hash,
    /// Identity of the source address in the state, where it is the principal's own.
    pub origin: Option<Hash>,
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
