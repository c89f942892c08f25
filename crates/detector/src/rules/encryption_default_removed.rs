//! # Default encryption was removed
//!
//! Finds: the removal of a bucket's default encryption or of a region's default for block storage, also attempted.
//!
//! Severity: high. An attempt is one step lower.
//!
//! How it can be wrong: the provider encrypts with a key of its own even then (S3 does since January 2023). It is still
//! the loss of the key that the organisation controls.
//!
//! What to do: set the default again; find what was written meanwhile.
//!
//! Closes: when a default is set again, or when the control on it failed after the removal and passes again.

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::rule::{Rule, Scene};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "encryption.default_removed",
    title: "Default encryption was removed",
    severity: Severity::High,
    references: &["SOC2 CC6.1", "ATT&CK T1562", "ATT&CK T1486"],
    source: include_str!("encryption_default_removed.rs"),
};

/// The rule.
pub struct EncryptionDefaultRemoved;

impl Rule for EncryptionDefaultRemoved {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::of(&[Action::DefaultEncryptionRemove])
    }

    fn event(&self, scene: &mut Scene<'_>) {
        let draft = scene
            .resource_draft(&META)
            .advise(advice::check_default_encryption(scene.event))
            .advise(advice::who_did_it(&scene.event.principal));
        scene.report(draft);
    }
}

#[cfg(test)]
mod tests {
    use keyvigil_model::facts::Facts;
    use keyvigil_model::key::KeyTier;

    use super::*;
    use crate::testing::{check, ev, policy};

    #[test]
    fn fires_and_closes() {
        let remove = || {
            ev(Action::DefaultEncryptionRemove)
                .no_key()
                .resource("arn:aws:s3:::b")
        };
        let set = ev(Action::DefaultEncryptionSet)
            .no_key()
            .resource("arn:aws:s3:::b")
            .facts(Facts::Encryption {
                tier: Some(KeyTier::CustomerManaged),
                key: None,
            })
            .minute(4);
        check(policy(), &[remove()], &["high encryption.default_removed"]);
        check(
            policy(),
            &[remove().denied()],
            &["medium encryption.default_removed"],
        );
        check(policy(), std::slice::from_ref(&set), &[]);
        check(
            policy(),
            &[remove(), set],
            &["high encryption.default_removed", "cleared reverted"],
        );
    }
}
