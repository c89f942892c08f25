//! A finding as a rule proposes it.

use std::sync::Arc;

use keyvigil_model::event::Outcome;
use keyvigil_model::finding::{Advice, Context, Evidence, Finding, FindingKind};
use keyvigil_model::id::{AccountId, CheckId, EventId, FindingId, Fingerprint, Region, SourceId};
use keyvigil_model::provider::Provider;
use keyvigil_model::severity::Severity;
use keyvigil_model::time::Timestamp;
use keyvigil_model::untrusted::Untrusted;

use crate::check::CheckMeta;

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
