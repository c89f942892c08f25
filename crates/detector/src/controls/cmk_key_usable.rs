//! # Data depends on a key that cannot be used
//!
//! Requires: the key that a bucket, disk, database, snapshot, trail or disk default names exists, is enabled, does not
//! wait to be destroyed, has its material, and lies in a trusted account and an approved region.
//!
//! Does not apply to: what names no key, and keys of AWS.
//!
//! UNKNOWN: keys of accounts that are not read; keys that could not be described (`kms:DescribeKey`); regions whose
//! keys were not listed to the end. A key is called missing only by a complete listing that is younger than the
//! reading of what names it. A key in an untrusted account fails once `organisation.accounts` says what is trusted.
//!
//! What to do: enable the key or cancel its destruction; if it is gone, restore from a backup under another key.

use keyvigil_model::finding::{Advice, Effect};
use keyvigil_model::key::{KeyRef, KeyTier};
use keyvigil_model::severity::Severity;
use keyvigil_model::snapshot::{AwsKeyMetadata, AwsKeyState, AwsKmsKey, Config, Resource};
use keyvigil_model::verdict::{Read, UnknownReason};

use super::region_approved::is_approved;
use super::remedy;
use crate::check::CheckMeta;
use crate::control::{Applies, Case, Control, ControlMeta, Opinion, Stakes};
use crate::inventory::KeyLookup;
use crate::policy::trust::Trust;

/// The control.
pub(super) struct KeyUsable;

static META: ControlMeta = ControlMeta {
    check: CheckMeta {
        id: "x.cmk.key_usable",
        title: "Data depends on a key that cannot be used",
        severity: Severity::Critical,
        references: &["SOC2 CC6.1", "SOC2 A1.2", "FSBP KMS.3"],
        source: include_str!("cmk_key_usable.rs"),
    },
    requirement: "the key that it names exists, is enabled, and lies in a trusted account and an approved region.",
    permissions: &[
        "kms:DescribeKey",
        "kms:ListAliases",
        "s3:GetEncryptionConfiguration",
        "ec2:GetEbsDefaultKmsKeyId",
    ],
};

impl Control for KeyUsable {
    fn meta(&self) -> &'static ControlMeta {
        &META
    }

    fn concerns(&self, resource: Option<&Resource>) -> bool {
        match resource.map(|resource| &resource.config) {
            Some(
                Config::AwsBucket(_) | Config::AwsEbsDefault(_) | Config::Storage(_) | Config::AwsTrail(_),
            ) => true,
            Some(Config::AwsKmsKey(_) | Config::AwsRoot(_) | Config::AwsUser(_)) | None => false,
        }
    }

    fn applies(&self, case: &Case<'_>) -> Applies {
        let Some(resource) = case.resource() else {
            return Applies::Unknown(UnknownReason::NotYetRead, "it was not read yet");
        };
        if let Some(reason) = unread(&resource.config) {
            return Applies::Unknown(reason, "its encryption could not be read");
        }
        match case.key() {
            None => Applies::No("it names no key"),
            Some(key) if is_aws_alias(&key) => Applies::No("AWS manages its key"),
            Some(_) => match case.inventory.tier_of(resource) {
                Some(Ok(KeyTier::ProviderManaged)) => Applies::No("AWS manages its key"),
                Some(_) | None => Applies::Yes,
            },
        }
    }

    fn judge(&self, case: &Case<'_>) -> Opinion {
        let Some(key) = case.key() else {
            return Opinion::unknown(UnknownReason::NotYetRead, "it was not read yet");
        };
        if let Some(fault) = misplaced(case, &key) {
            return Opinion::fail(fault);
        }
        match case.inventory.look_up(&key) {
            KeyLookup::Found(found, _) => judge_key(found),
            KeyLookup::Missing(listed) if case.held.is_some_and(|held| listed >= held.at) => {
                Opinion::fail("the key that it names does not exist")
            }
            KeyLookup::Missing(_) => Opinion::unknown(
                UnknownReason::NotYetRead,
                "the keys were listed before it named this key",
            ),
            KeyLookup::NotVisible(reason) => Opinion::unknown(
                reason,
                "its key lies in an account or region whose keys were not read to the end",
            ),
        }
    }

    fn advice(&self, case: &Case<'_>) -> Vec<Advice> {
        // The key's own control gives the command for the key; here it is about the data.
        vec![
            remedy::run(
                case,
                "See who you are before you touch a key of another account.",
                Effect::ReadOnly,
                "aws sts get-caller-identity",
            ),
            remedy::say("Enable the key, or cancel its destruction, before anything else."),
            remedy::say("If the key is gone: restore the data from a backup under another key."),
        ]
    }

    fn stakes(&self, case: &Case<'_>) -> Stakes {
        let deadline = case.key().and_then(|key| match case.inventory.look_up(&key) {
            KeyLookup::Found(found, _) => found
                .metadata
                .get()
                .ok()
                .and_then(|metadata| metadata.deletion_date),
            KeyLookup::Missing(_) | KeyLookup::NotVisible(_) => None,
        });
        Stakes {
            blast_radius: Some(
                "What is encrypted under the key cannot be read while the key cannot be used.".to_owned(),
            ),
            deadline,
        }
    }
}

/// Why it is not known whether the resource names a key.
fn unread(config: &Config) -> Option<UnknownReason> {
    match config {
        Config::AwsBucket(bucket) => bucket.encryption.get().err(),
        Config::AwsEbsDefault(default) => default.key.get().err(),
        Config::Storage(storage) => storage.encrypted.get().err().filter(|_| storage.key.is_none()),
        Config::AwsKmsKey(_) | Config::AwsTrail(_) | Config::AwsRoot(_) | Config::AwsUser(_) => None,
    }
}

fn is_aws_alias(key: &KeyRef) -> bool {
    key.id.as_str().starts_with("alias/aws/") || key.id.as_str().contains(":alias/aws/")
}

/// What is wrong with the place of the key.
fn misplaced(case: &Case<'_>, key: &KeyRef) -> Option<String> {
    if let Some(account) = &key.account
        && !case.policy.organisation.accounts.is_empty()
        && case
            .policy
            .trust(account, case.reference.account.as_ref(), case.now)
            == Trust::Outside
    {
        return Some(format!(
            "its key belongs to account {}, which is not trusted",
            account.as_str()
        ));
    }
    let region = key.region.as_ref()?;
    if is_approved(case.policy, region) {
        return None;
    }
    Some(format!(
        "its key lies in {}, which is not approved",
        region.as_str()
    ))
}

fn judge_key(key: &AwsKmsKey) -> Opinion {
    let metadata: &AwsKeyMetadata = match &key.metadata {
        Read::Known(metadata) => metadata,
        Read::Unknown(reason) => return Opinion::unknown(*reason, "its key could not be described"),
    };
    if !metadata.managed_by_customer {
        let reason = "AWS manages its key";
        return Opinion::not_applicable(reason, reason);
    }
    match metadata.state {
        // A key whose primary region moves stays usable (KMS developer guide, "Key states").
        AwsKeyState::Enabled | AwsKeyState::Updating => Opinion::pass("its key is enabled"),
        AwsKeyState::Disabled => Opinion::fail("its key is disabled"),
        AwsKeyState::PendingDeletion => Opinion::fail(match metadata.deletion_date {
            Some(date) => format!("its key will be destroyed at {date}"),
            None => "its key waits to be destroyed".to_owned(),
        }),
        AwsKeyState::PendingReplicaDeletion => {
            Opinion::fail("its key waits to be destroyed after its replicas")
        }
        AwsKeyState::PendingImport => Opinion::fail("its key has no material: it expired or was deleted"),
        AwsKeyState::Unavailable => Opinion::fail("the key store of its key is not reachable"),
        AwsKeyState::Creating => Opinion::unknown(UnknownReason::NotYetRead, "its key is being created"),
        AwsKeyState::Unrecognised => Opinion::unknown(
            UnknownReason::UnsupportedValue,
            "the state of its key is not known",
        ),
    }
}
