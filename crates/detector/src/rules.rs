//! The rules, as a list that a person can read. One file a rule; its head is its manual page.

pub mod audit_narrowed;
pub mod audit_source_silent;
pub mod audit_stopped;
pub mod chain_logging_off_then_use;
pub mod encryption_database_off;
pub mod encryption_default_removed;
pub mod encryption_default_swapped;
pub mod key_destroy_scheduled;
pub mod key_disabled;
pub mod key_grant_suspicious;
pub mod key_mass_destroy;
pub mod key_material_imported;
pub mod key_opened_to_everyone;
pub mod key_purged;
pub mod key_role_powerful;
pub mod key_shared_outside;
pub mod ransom_customer_key;
pub mod ransom_kms_chain;
pub mod rotation_disabled;
pub mod rotation_overdue;
pub mod secret_destroyed;
pub mod secret_mass_read;
pub mod sight_lost;
pub mod use_cross_account;
pub mod use_decoy_touched;
pub mod use_decrypt_spike;
pub mod use_denied_burst;
pub mod use_first_by_principal;
pub mod use_unauthorised;

use crate::rule::Rule;

/// Every rule. A rule that follows others must come after them.
const RULES: &[&dyn Rule] = &[
    &key_destroy_scheduled::KeyDestroyScheduled,
    &key_purged::KeyPurged,
    &key_disabled::KeyDisabled,
    &key_opened_to_everyone::KeyOpenedToEveryone,
    &key_shared_outside::KeySharedOutside,
    &key_grant_suspicious::KeyGrantSuspicious,
    &key_role_powerful::KeyRolePowerful,
    &key_material_imported::KeyMaterialImported,
    &use_unauthorised::UseUnauthorised,
    &use_first_by_principal::UseFirstByPrincipal,
    &use_decrypt_spike::UseDecryptSpike,
    &use_denied_burst::UseDeniedBurst,
    &use_cross_account::UseCrossAccount,
    &use_decoy_touched::UseDecoyTouched,
    &secret_mass_read::SecretMassRead,
    &secret_destroyed::SecretDestroyed,
    &encryption_default_removed::EncryptionDefaultRemoved,
    &encryption_default_swapped::EncryptionDefaultSwapped,
    &encryption_database_off::EncryptionDatabaseOff,
    &ransom_customer_key::RansomCustomerKey,
    &audit_stopped::AuditStopped,
    &audit_narrowed::AuditNarrowed,
    &audit_source_silent::AuditSourceSilent,
    &sight_lost::SightLost,
    &rotation_disabled::RotationDisabled,
    &rotation_overdue::RotationOverdue,
    // These follow the findings of others.
    &key_mass_destroy::KeyMassDestroy,
    &ransom_kms_chain::RansomKmsChain,
    &chain_logging_off_then_use::ChainLoggingOffThenUse,
];

/// Every rule.
pub fn rules() -> &'static [&'static dyn Rule] {
    RULES
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_followers_come_last() {
        let mut seen = BTreeSet::new();
        for rule in rules() {
            let meta = rule.meta();
            for followed in rule.follows() {
                assert!(seen.contains(followed), "{} must come after {followed}", meta.id);
            }
            assert!(seen.insert(meta.id), "{} twice", meta.id);
        }
    }

    #[test]
    fn every_rule_has_a_manual_page() {
        for rule in rules() {
            let (meta, doc) = (rule.meta(), rule.meta().doc());
            for part in ["# ", "Finds:", "Severity:", "How it can be wrong:", "What to do:"] {
                assert!(doc.contains(part), "{}: the page lacks {part:?}", meta.id);
            }
            assert!(!meta.references.is_empty(), "{}", meta.id);
        }
    }
}
