//! The controls: a list that a person can read. Adding one is a file in `controls/` and a line here.

use keyvigil_model::finding::Finding;
use keyvigil_model::id::Fingerprint;
use keyvigil_model::resource::ResourceRef;
use keyvigil_model::time::Timestamp;
use keyvigil_model::verdict::{Judgement, Verdict};

use crate::control::{Applies, Case, Control, Holds, Opinion, check_id};
use crate::inventory::Inventory;
use crate::policy::Policy;

mod cloudtrail_enabled;
mod cloudtrail_kms_events;
mod cmk_key_usable;
mod cmk_prod_confidential;
mod ebs_default_encryption;
mod excepted;
mod iam_access_keys;
mod iam_root_mfa;
mod kms_cross_account;
mod kms_pending_deletion;
mod kms_policy_not_public;
mod kms_rotation_enabled;
mod kms_rotation_occurred;
mod kms_rotation_period;
mod rds_storage_encrypted;
mod region_approved;
mod remedy;
pub(crate) mod report;
mod rotatable;
mod s3_default_encryption;
mod s3_tls_enforced;

#[cfg(test)]
mod tests;

/// Every control.
const CONTROLS: &[&dyn Control] = &[
    // Keys.
    &kms_rotation_enabled::RotationEnabled,
    &kms_rotation_period::RotationPeriod,
    &kms_rotation_occurred::RotationOccurred,
    &kms_pending_deletion::PendingDeletion,
    &kms_policy_not_public::PolicyNotPublic,
    &kms_cross_account::CrossAccount,
    // Data at rest and in transit.
    &s3_default_encryption::DefaultEncryption,
    &s3_tls_enforced::TlsEnforced,
    &ebs_default_encryption::EbsDefaultEncryption,
    &rds_storage_encrypted::StorageEncrypted,
    &cmk_prod_confidential::ProdConfidential,
    &cmk_key_usable::KeyUsable,
    &region_approved::RegionApproved,
    // Audit logs.
    &cloudtrail_enabled::TrailEnabled,
    &cloudtrail_kms_events::KmsEventsIncluded,
    // Credentials.
    &iam_root_mfa::RootMfa,
    &iam_access_keys::AccessKeys,
];

/// Every control, for engine, documentation and `doctor`.
pub fn controls() -> &'static [&'static dyn Control] {
    CONTROLS
}

/// Judges the changed resources by every control that concerns them. Accounts among them are judged as a whole.
pub fn judge(
    inventory: &Inventory,
    changed: &[ResourceRef],
    policy: &Policy,
    now: Timestamp,
) -> Vec<Judgement> {
    let mut judgements = Vec::new();
    for reference in changed {
        let held = inventory.find(reference);
        // The reference that is held says account and region.
        let reference = held.map_or(reference, |held| &held.resource.reference);
        let case = Case {
            reference,
            held,
            inventory,
            policy,
            now,
        };
        for control in CONTROLS {
            if held.is_none() && reference.kind != keyvigil_model::resource::ResourceKind::Account {
                continue;
            }
            if control.concerns(case.resource()) {
                judgements.push(judge_one(*control, &case));
            }
        }
    }
    judgements
}

fn judge_one(control: &dyn Control, case: &Case<'_>) -> Judgement {
    let opinion = match control.applies(case) {
        Applies::Yes => control.judge(case),
        Applies::No(reason) => Opinion::not_applicable(reason, reason),
        Applies::Unknown(reason, what) => Opinion::unknown(reason, what),
    };
    let verdict = match opinion.holds {
        Holds::Yes => Verdict::Pass,
        Holds::Unknown(reason) => Verdict::Unknown(reason),
        Holds::NotApplicable(reason) => Verdict::NotApplicable(reason.into()),
        Holds::No => excepted::verdict(control, case),
    };
    Judgement {
        control: check_id(control.meta()),
        resource: case.reference.clone(),
        verdict,
        observed: opinion.observed,
        at: case.held.map_or(case.now, |held| held.at),
    }
}

/// The finding for a judgement that says FAIL (or is excepted). Its fingerprint is [`fingerprint`].
pub fn finding(judgement: &Judgement, inventory: &Inventory, policy: &Policy) -> Finding {
    let control = CONTROLS
        .iter()
        .find(|control| control.meta().check.id == judgement.control.as_str());
    report::finding(control.copied(), judgement, inventory, policy)
}

/// What a control's finding on a resource is about: it stays the same while the state lasts.
pub fn fingerprint(judgement: &Judgement) -> Fingerprint {
    let resource = &judgement.resource;
    let account = resource.account.as_ref().map_or("", |account| account.as_str());
    Fingerprint::of(&[
        judgement.control.as_str().as_bytes(),
        account.as_bytes(),
        resource.kind.as_str().as_bytes(),
        resource.id.as_str().as_bytes(),
    ])
}
