//! Controls over the inventory: which judgements changed, and which findings begin and end with them.
//!
//! Some controls look at the state that a rule saw come about. They share the finding's identity, so that the event and
//! the state behind it are one alert: it opens with whichever is seen first, and closes when the state is repaired.

use std::collections::BTreeSet;

use keyvigil_model::finding::{ClearReason, FindingChange, Suppression};
use keyvigil_model::id::{AccountId, Fingerprint};
use keyvigil_model::resource::ResourceRef;
use keyvigil_model::snapshot::Config;
use keyvigil_model::time::Timestamp;
use keyvigil_model::verdict::{Judgement, Read, Verdict};

use crate::controls::{self, controls};
use crate::inventory::{Inventory, account_reference};
use crate::policy::Policy;
use crate::rules::{
    audit_narrowed, encryption_database_off, encryption_default_removed, key_destroy_scheduled,
    key_opened_to_everyone, key_shared_outside, rotation_disabled, rotation_overdue,
};
use crate::state::open::{Judged, Open, Standing};
use crate::state::{Hash, State, hash_all};
use crate::step::Step;

/// Controls whose state is what a rule sees come about.
const PAIRS: [(&str, &str); 9] = [
    ("aws.kms.rotation_enabled", rotation_disabled::META.id),
    ("aws.kms.rotation_occurred", rotation_overdue::META.id),
    ("aws.kms.pending_deletion", key_destroy_scheduled::META.id),
    ("aws.kms.policy_not_public", key_opened_to_everyone::META.id),
    ("aws.kms.cross_account", key_shared_outside::META.id),
    ("aws.s3.default_encryption", encryption_default_removed::META.id),
    ("aws.ebs.default_encryption", encryption_default_removed::META.id),
    ("aws.rds.storage_encrypted", encryption_database_off::META.id),
    (KMS_EVENTS, audit_narrowed::META.id),
];

/// The control that looks at less of a trail than its rule does.
const KMS_EVENTS: &str = "aws.cloudtrail.kms_events_included";

/// The parts of the detector that controls need.
pub(crate) struct Posture<'a> {
    /// What exists.
    pub(crate) inventory: &'a Inventory,
    /// The policy.
    pub(crate) policy: &'a Policy,
    /// What is remembered.
    pub(crate) state: &'a mut State,
}

/// Every resource and account that is known.
pub(crate) fn everything(inventory: &Inventory) -> Vec<ResourceRef> {
    let mut accounts: BTreeSet<&AccountId> = BTreeSet::new();
    let mut all = Vec::new();
    for held in inventory.all() {
        accounts.insert(&held.seen_from);
        all.push(held.resource.reference.clone());
    }
    all.extend(accounts.into_iter().map(account_reference));
    all
}

/// The identity of a control's finding: that of the paired rule, where there is one.
fn fingerprint(judgement: &Judgement) -> Fingerprint {
    let control = judgement.control.as_str();
    let Some((_, rule)) = PAIRS.iter().find(|(paired, _)| *paired == control) else {
        return controls::fingerprint(judgement);
    };
    let resource = &judgement.resource;
    let home = resource.account.as_ref().map_or("", |account| account.as_str());
    // As `report::fingerprint` makes it from a draft. The paired controls are all of this provider.
    Fingerprint::of(&[
        rule.as_bytes(),
        b"aws",
        home.as_bytes(),
        resource.id.as_str().as_bytes(),
    ])
}

fn row_id(control: &str, resource: &ResourceRef) -> Hash {
    let account = resource.account.as_ref().map_or("", |account| account.as_str());
    hash_all(&[control, resource.kind.as_str(), account, resource.id.as_str()])
}

impl Posture<'_> {
    /// Judges resources and hands out what is new.
    pub(crate) fn judge(&mut self, changed: &[ResourceRef], now: Timestamp, step: &mut Step) {
        for judgement in controls::judge(self.inventory, changed, self.policy, now) {
            let id = row_id(judgement.control.as_str(), &judgement.resource);
            let before = self.state.verdicts.get(&id).cloned();
            let content = hash_all(&[&format!("{:?}", judgement.verdict), &judgement.observed]);
            let is_new = before.as_ref().is_none_or(|before| before.content != content);
            let mut row = Judged {
                content,
                finding: None,
                own: false,
            };
            if let Some(before) = &before {
                (row.finding, row.own) = (before.finding, before.own);
            }
            self.follow(&judgement, is_new, &mut row, step);
            if before.as_ref() != Some(&row) {
                self.state.verdicts.put(id, row);
            }
            if is_new {
                step.judgements.push(judgement);
            }
        }
    }

    /// Opens or closes the finding of a judgement.
    fn follow(&mut self, judgement: &Judgement, is_new: bool, row: &mut Judged, step: &mut Step) {
        match &judgement.verdict {
            Verdict::Fail => self.fail(judgement, row, step),
            Verdict::Pass => self.over(judgement, ClearReason::Repaired, row, step),
            // The state that an event brought about is not repaired because the control no longer looks at it.
            Verdict::NotApplicable(_) if row.own => self.over(judgement, ClearReason::Repaired, row, step),
            Verdict::Excepted { id, expires } => {
                self.over(judgement, ClearReason::Excepted, row, step);
                if is_new {
                    let mut finding = controls::finding(judgement, self.inventory, self.policy);
                    finding.fingerprint = fingerprint(judgement);
                    let by = Suppression::Exception {
                        id: id.clone(),
                        expires: *expires,
                    };
                    step.findings.push(FindingChange::Suppressed {
                        finding: Box::new(finding),
                        by,
                    });
                }
            }
            Verdict::NotApplicable(_) | Verdict::Unknown(_) => {}
        }
    }

    fn fail(&mut self, judgement: &Judgement, row: &mut Judged, step: &mut Step) {
        let print = fingerprint(judgement);
        let mut finding = controls::finding(judgement, self.inventory, self.policy);
        let severity = Open::rank(finding.severity);
        let read_at = judgement.at.as_micros();
        let mut own = true;
        if let Some(open) = self.state.open.get(&print.0) {
            match &open.state {
                // Read before the event: it says nothing about what the event did.
                Standing::Open if open.at > read_at => return,
                // An event's finding stays in front: it says who did it, and its rule weighs the same things.
                Standing::Open if open.severity >= severity || *open.rule != *judgement.control.as_str() => {
                    self.state.open.confirm(&print.0);
                    row.own = row.own && row.finding == Some(print.0);
                    row.finding = Some(print.0);
                    return;
                }
                Standing::Open => own = row.own,
                Standing::Reverted { at, .. } if *at >= read_at => return,
                Standing::Reverted { .. } | Standing::Suppressed => {}
            }
        }
        row.finding = Some(print.0);
        row.own = own;
        let open = Open {
            rule: judgement.control.as_str().into(),
            account: finding.account.as_str().into(),
            state: Standing::Open,
            at: read_at,
            told: read_at,
            severity,
            chosen: false,
            confirmed: true,
        };
        self.state.open.put(print.0, open);
        finding.fingerprint = print;
        step.findings.push(FindingChange::Raised(Box::new(finding)));
    }

    fn over(&mut self, judgement: &Judgement, reason: ClearReason, row: &mut Judged, step: &mut Step) {
        let Some(held) = row.finding else {
            return;
        };
        let newer_event = |open: &Open| open.state == Standing::Open && open.at > judgement.at.as_micros();
        if self.state.open.get(&held).is_some_and(newer_event) {
            return;
        }
        if reason == ClearReason::Repaired && self.is_still_narrow(judgement, &held) {
            return;
        }
        (row.finding, row.own) = (None, false);
        self.close(held, judgement.at, reason, step);
    }

    /// Whether a trail leaves out more than its control looks at. One that records nothing leaves out everything; and
    /// what an event narrowed is whole again only when the trail leaves out nothing at all.
    fn is_still_narrow(&self, judgement: &Judgement, held: &Hash) -> bool {
        if judgement.control.as_str() != KMS_EVENTS {
            return false;
        }
        let found = self.inventory.find(&judgement.resource);
        let Some(Config::AwsTrail(trail)) = found.map(|held| &held.resource.config) else {
            return true;
        };
        let (Read::Known(status), Read::Known(scope)) = (&trail.status, &trail.scope) else {
            return true;
        };
        if !status.logging || scope.management_off {
            return true;
        }
        let open = self.state.open.get(held);
        open.is_some_and(|open| *open.rule == *audit_narrowed::META.id)
            && (scope.narrows() || scope.not_understood || !trail.multi_region || !trail.global_events)
    }

    fn close(&mut self, held: Hash, at: Timestamp, reason: ClearReason, step: &mut Step) {
        if self.state.open.close(&held) {
            step.findings.push(FindingChange::Cleared {
                fingerprint: Fingerprint(held),
                at,
                reason,
            });
        }
    }

    /// Takes back the judgements of resources that are gone.
    pub(crate) fn withdraw(&mut self, gone: &[ResourceRef], now: Timestamp, step: &mut Step) {
        for resource in gone {
            for control in controls() {
                let control = control.meta().check.id;
                let Some(row) = self.state.verdicts.remove(&row_id(control, resource)) else {
                    continue;
                };
                step.withdrawn.push((control.into(), resource.clone()));
                if let Some(held) = row.finding {
                    self.close(held, now, ClearReason::ResourceGone, step);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
