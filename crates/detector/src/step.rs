//! What goes into a step of the detector and what comes out.

use std::fmt;

use keyvigil_model::batch::Coverage;
use keyvigil_model::event::AuditEvent;
use keyvigil_model::finding::FindingChange;
use keyvigil_model::health::SourceHealth;
use keyvigil_model::id::{CheckId, SourceId};
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::{RepollRequest, ResourceRef};
use keyvigil_model::snapshot::Snapshot;
use keyvigil_model::verdict::Judgement;

/// One observation, or the passing of time.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Audit events of one source, already deduplicated, in any order.
    Events {
        /// The source.
        source: &'a SourceId,
        /// The events.
        events: &'a [AuditEvent],
    },
    /// What a source covered, whether any event of it mattered or not.
    Coverage {
        /// The source.
        source: &'a SourceId,
        /// Its provider.
        provider: Provider,
        /// What was seen, one entry an account and region.
        seen: &'a [Coverage],
    },
    /// Configuration as a poller read it.
    Snapshot(&'a Snapshot),
    /// How a source fared.
    Health(&'a SourceHealth),
    /// Time passed. Expected about once a minute.
    Tick,
}

/// What a step found out. Everything in it belongs into one transaction.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Step {
    /// Findings raised, cleared or suppressed.
    pub findings: Vec<FindingChange>,
    /// Judgements that are new or changed.
    pub judgements: Vec<Judgement>,
    /// Judgements of resources that are gone.
    pub withdrawn: Vec<(CheckId, ResourceRef)>,
    /// Resources that an event says have changed: to be read again now.
    pub repolls: Vec<RepollRequest>,
    /// State to be saved.
    pub state: Vec<StateChange>,
}

/// A row of the detector's state that changed. Opaque to everybody else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateChange {
    /// The table.
    pub space: &'static str,
    /// The row.
    pub key: String,
    /// The new content; `None` deletes the row.
    pub value: Option<Vec<u8>>,
}

/// A row of the detector's state as it was saved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SavedState {
    /// The table.
    pub space: String,
    /// The row.
    pub key: String,
    /// The content.
    pub value: Vec<u8>,
}

/// A saved row that could not be used. The detector starts without it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateProblem {
    /// The table.
    pub space: String,
    /// The row.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for StateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "saved state {}/{}: {}", self.space, self.key, self.problem)
    }
}
