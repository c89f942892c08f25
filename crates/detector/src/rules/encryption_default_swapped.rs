//! # The key of default encryption was swapped or downgraded
//!
//! Finds: a default that now uses a key of an account outside the organisation, a key that the inventory does not know
//! although it knows that account's keys, or a lower level than before (a customer-managed key replaced by the
//! provider's own).
//!
//! Severity: critical for a key outside the organisation; high otherwise. An attempt is one step lower.
//!
//! How it can be wrong: a move to another key of the organisation is not reported. What the default was before comes
//! from the last snapshot; without one, only keys outside are found.
//!
//! What to do: set the previous key again, then re-encrypt what was written meanwhile.
//!
//! Closes: when a default is set that is none of these.

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::facts::Facts;
use keyvigil_model::key::{KeyRef, KeyTier};
use keyvigil_model::resource::ResourceRef;
use keyvigil_model::severity::Severity;
use keyvigil_model::snapshot::Config;

use crate::advice;
use crate::check::CheckMeta;
use crate::inventory::{Inventory, KeyLookup};
use crate::policy::trust::Trust;
use crate::rule::{Rule, Scene};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "encryption.default_swapped",
    title: "The key of default encryption was swapped or downgraded",
    severity: Severity::High,
    references: &["SOC2 CC6.1", "ATT&CK T1486"],
    source: include_str!("encryption_default_swapped.rs"),
};

/// The rule.
pub struct EncryptionDefaultSwapped;

/// What is wrong with a new default.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Swap {
    /// Nothing.
    None,
    /// Its key belongs to an account outside the organisation.
    OutsideKey,
    /// The inventory does not know its key, although it knows others of that account and region.
    UnknownKey,
    /// The level is lower than it was.
    Lower {
        /// The level before.
        before: KeyTier,
    },
}

/// What is wrong with the default that the event sets.
pub fn judge(scene: &Scene<'_>) -> Swap {
    let Facts::Encryption { tier, key } = &scene.event.facts else {
        return Swap::None;
    };
    if let Some(key) = key {
        let key = scene.inventory.resolve(key);
        if let Some(account) = &key.account
            && scene
                .policy
                .trust(account, Some(&scene.event.account), scene.event.time)
                == Trust::Outside
        {
            return Swap::OutsideKey;
        }
        if is_unknown(scene, &key) {
            return Swap::UnknownKey;
        }
    }
    let before = scene
        .event
        .resource
        .as_ref()
        .and_then(|resource| default_tier(scene.inventory, resource));
    match (before, tier) {
        (Some(before), Some(now)) if before >= KeyTier::CustomerManaged && *now < before => {
            Swap::Lower { before }
        }
        _ => Swap::None,
    }
}

fn is_unknown(scene: &Scene<'_>, key: &KeyRef) -> bool {
    matches!(scene.inventory.look_up(key), KeyLookup::Missing(_))
}

/// The level of default encryption that the inventory last saw.
fn default_tier(inventory: &Inventory, resource: &ResourceRef) -> Option<KeyTier> {
    match &inventory.find(resource)?.resource.config {
        Config::AwsBucket(bucket) => bucket.encryption.get().ok().map(|encryption| encryption.tier),
        Config::AwsEbsDefault(default) => {
            let key = default.key.get().ok()?;
            match default.enabled.get() {
                Ok(true) if key.as_str().contains("alias/aws/") => Some(KeyTier::ProviderManaged),
                Ok(true) => Some(KeyTier::CustomerManaged),
                Ok(false) => Some(KeyTier::None),
                Err(_) => None,
            }
        }
        Config::AwsKmsKey(_)
        | Config::Storage(_)
        | Config::AwsTrail(_)
        | Config::AwsRoot(_)
        | Config::AwsUser(_) => None,
    }
}

impl Rule for EncryptionDefaultSwapped {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::of(&[Action::DefaultEncryptionSet])
    }

    fn event(&self, scene: &mut Scene<'_>) {
        let (severity, title, observed) = match judge(scene) {
            Swap::None => return,
            Swap::OutsideKey => (
                Severity::Critical,
                "Default encryption now uses a key outside the organisation",
                "the account of the key is neither ours nor a partner's".to_owned(),
            ),
            Swap::UnknownKey => (
                META.severity,
                "Default encryption now uses a key that the inventory does not know",
                "other keys of that account and region are known".to_owned(),
            ),
            Swap::Lower { before } => (
                META.severity,
                "Default encryption was downgraded",
                format!("before: {}", before.as_str()),
            ),
        };
        let mut draft = scene
            .resource_draft(&META)
            .titled(title)
            .severe(severity)
            .fact("observed", observed)
            .advise(advice::check_default_encryption(scene.event))
            .advise(advice::who_did_it(&scene.event.principal));
        if let Facts::Encryption { key: Some(key), .. } = &scene.event.facts {
            draft = draft.fact("new key", key.id.as_str());
            draft.finding.key = Some(scene.inventory.resolve(key));
        }
        scene.report(draft);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, ev, key_ref, policy};

    #[test]
    fn a_foreign_key_is_critical_and_our_own_is_quiet() {
        let set = |account: &str, minute| {
            ev(Action::DefaultEncryptionSet)
                .no_key()
                .resource("arn:aws:s3:::b")
                .facts(Facts::Encryption {
                    tier: Some(KeyTier::CustomerManaged),
                    key: Some(key_ref(account, "k9")),
                })
                .minute(minute)
        };
        let fires = "critical encryption.default_swapped";
        check(policy(), &[set("999999999999", 0)], &[fires]);
        check(
            policy(),
            &[set("999999999999", 0).denied()],
            &["high encryption.default_swapped"],
        );
        check(policy(), &[set("111111111111", 0)], &[]);
        check(
            policy(),
            &[set("999999999999", 0), set("111111111111", 3)],
            &[fires, "cleared reverted"],
        );
    }
}
