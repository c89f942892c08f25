//! Turns what a rule proposes into a finding: identity, attempts, exceptions, learning, folding, and floods.

use std::time::Duration;

use keyvigil_model::event::Outcome;
use keyvigil_model::finding::{ClearReason, Finding, FindingChange, Suppression};
use keyvigil_model::id::{FindingId, Fingerprint, PrincipalId};
use keyvigil_model::time::Timestamp;

use crate::engine::{exceptions, learning_until};
use crate::policy::Policy;
use crate::rule::{Attempts, Draft, Fold, Learns, Naming};
use crate::state::State;
use crate::state::open::{MAX_CHOSEN, Open, Standing};

const HOUR: Duration = Duration::from_secs(3600);

/// What became of a draft.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reported {
    /// It is a finding.
    Raised,
    /// It repeats one that is open and was told not long ago.
    Folded,
    /// It is recorded, but not to be alerted.
    Suppressed,
}

/// What the draft is about: rule, provider, account of the subject, subject. Never an event's id.
pub fn fingerprint(draft: &Draft) -> Fingerprint {
    let mut parts: Vec<&[u8]> = vec![
        draft.meta.id.as_bytes(),
        draft.finding.provider.as_str().as_bytes(),
        draft.home.as_str().as_bytes(),
    ];
    parts.extend(draft.subject.iter().map(|part| part.as_bytes()));
    Fingerprint::of(&parts)
}

/// Reports a draft.
pub(crate) fn report(
    mut draft: Draft,
    policy: &Policy,
    state: &mut State,
    now: Timestamp,
    out: &mut Vec<FindingChange>,
) -> Reported {
    lower_attempt(&mut draft);
    let suppression = suppression(&draft, policy, state, now);
    bound_flood(&mut draft, state, suppression.is_some());
    let print = fingerprint(&draft);
    draft.finding.fingerprint = print;
    let known = state.open.get(&print.0).cloned();
    let mut row = row(&draft, known.as_ref(), suppression.is_some());
    if is_repeat(&draft, known.as_ref(), &row) {
        // Its time still moves: a repair that came before it must not close it.
        if known.as_ref().is_some_and(|known| known.at < row.at) {
            row.told = known.map_or(row.told, |known| known.told);
            state.open.put(print.0, row);
        }
        return if suppression.is_some() {
            Reported::Suppressed
        } else {
            Reported::Folded
        };
    }
    draft.finding.id = finding_id(&draft.finding);
    let finding = Box::new(draft.finding);
    if let Some(by) = suppression {
        state.open.put(print.0, row);
        out.push(FindingChange::Suppressed { finding, by });
        return Reported::Suppressed;
    }
    let undone = undone_already(known.as_ref(), &finding);
    out.push(FindingChange::Raised(finding));
    match undone {
        // The record of the repair arrived before that of the deed.
        Some((at, by)) => {
            let reason = ClearReason::RevertedBy(by);
            out.push(FindingChange::Cleared {
                fingerprint: print,
                at,
                reason,
            });
        }
        None => state.open.put(print.0, row),
    }
    Reported::Raised
}

fn lower_attempt(draft: &mut Draft) {
    let refused = match draft.finding.outcome {
        Outcome::Denied | Outcome::Failed => true,
        Outcome::Success | Outcome::Unknown => false,
    };
    if !refused || draft.attempts == Attempts::Same {
        return;
    }
    draft.finding.severity = draft.finding.severity.lowered();
    draft.finding.title = format!("Attempted: {}", draft.finding.title);
}

fn suppression(draft: &Draft, policy: &Policy, state: &mut State, now: Timestamp) -> Option<Suppression> {
    if let Some((id, expires)) = exceptions::covering(policy, &draft.finding, now) {
        return Some(Suppression::Exception { id, expires });
    }
    if draft.learns == Learns::Yes
        && let Some(until) = learning_until(policy, state, draft)
    {
        return Some(Suppression::Learning { until });
    }
    None
}

/// A flood of findings whose subjects a caller names becomes one.
fn bound_flood(draft: &mut Draft, state: &State, suppressed: bool) {
    if draft.naming == Naming::Fixed || suppressed {
        return;
    }
    let known = state.open.get(&fingerprint(draft).0);
    if known.is_some_and(|known| known.state == Standing::Open) {
        return;
    }
    if !state.open.is_flooded(draft.meta.id, draft.home.as_str()) {
        return;
    }
    draft.finding.title = format!("More than {MAX_CHOSEN} findings: {}", draft.meta.title);
    draft.subject = vec!["flood".to_owned()];
    draft.fold = Fold::Hourly;
    draft.naming = Naming::Fixed;
}

fn row(draft: &Draft, known: Option<&Open>, suppressed: bool) -> Open {
    let at = draft.finding.time.as_micros();
    let severity = Open::rank(draft.finding.severity);
    let state = if suppressed {
        Standing::Suppressed
    } else {
        Standing::Open
    };
    let same = known.filter(|known| known.state == state);
    Open {
        rule: draft.meta.id.into(),
        account: draft.home.as_str().into(),
        state,
        at: same.map_or(at, |known| known.at.max(at)),
        told: at,
        severity: same.map_or(severity, |known| known.severity.max(severity)),
        chosen: draft.naming == Naming::Chosen,
        confirmed: same.is_some_and(|known| known.confirmed),
    }
}

fn is_repeat(draft: &Draft, known: Option<&Open>, row: &Open) -> bool {
    let Some(known) = known.filter(|known| known.state == row.state) else {
        return false;
    };
    if Open::rank(draft.finding.severity) > known.severity {
        return false;
    }
    match draft.fold {
        Fold::Every => false,
        Fold::Hourly => {
            let told = Timestamp::from_micros(known.told);
            draft.finding.time.distance(told) < HOUR
        }
        Fold::WhileOpen => true,
    }
}

/// The same cause gives the same id: the first record that it rests on, or the time of a state.
fn finding_id(finding: &Finding) -> FindingId {
    let time = finding.time.as_micros().to_le_bytes();
    let cause = match finding.event_ids.last() {
        Some(event) => event.as_str().as_bytes(),
        None => &time,
    };
    FindingId::of(&[finding.check.as_str().as_bytes(), &finding.fingerprint.0, cause])
}

fn undone_already(known: Option<&Open>, finding: &Finding) -> Option<(Timestamp, PrincipalId)> {
    match &known?.state {
        Standing::Reverted { at, by } if finding.time.as_micros() <= *at => {
            Some((Timestamp::from_micros(*at), PrincipalId::from(&**by)))
        }
        Standing::Reverted { .. } | Standing::Open | Standing::Suppressed => None,
    }
}
