//! Which keys AWS can rotate by itself, and where their rotation is to be read.
//!
//! Source: KMS developer guide, "Rotate AWS KMS keys": symmetric encryption keys with material from KMS. Not:
//! asymmetric and HMAC keys, imported material, custom key stores. AWS rotates its own keys itself.

use keyvigil_model::key::KeyOrigin;
use keyvigil_model::snapshot::{AwsKeyMetadata, AwsKeyState, AwsKmsKey, Config, Resource};
use keyvigil_model::verdict::{Read, UnknownReason};

use crate::control::{Applies, Case};

/// The key of a resource.
pub(super) fn key_in(resource: Option<&Resource>) -> Option<&AwsKmsKey> {
    match resource.map(|resource| &resource.config) {
        Some(Config::AwsKmsKey(key)) => Some(key),
        _ => None,
    }
}

/// The key of the case. The controls that ask concern keys only.
pub(super) fn key<'a>(case: &Case<'a>) -> Option<&'a AwsKmsKey> {
    key_in(case.resource())
}

/// Its `DescribeKey`.
pub(super) fn metadata<'a>(case: &Case<'a>) -> Result<&'a AwsKeyMetadata, UnknownReason> {
    match key(case).map(|key| &key.metadata) {
        Some(Read::Known(metadata)) => Ok(metadata),
        Some(Read::Unknown(reason)) => Err(*reason),
        None => Err(UnknownReason::NotYetRead),
    }
}

/// Whether automatic rotation concerns the key.
pub(super) fn applies(case: &Case<'_>) -> Applies {
    let metadata = match metadata(case) {
        Ok(metadata) => metadata,
        Err(reason) => return Applies::Unknown(reason, "the key could not be described"),
    };
    if !metadata.managed_by_customer {
        return Applies::No("AWS manages and rotates this key");
    }
    match metadata.origin {
        Some(KeyOrigin::Provider) => {}
        Some(KeyOrigin::Imported) => return Applies::No("imported key material is rotated by hand"),
        Some(KeyOrigin::DedicatedHsm) => {
            return Applies::No("keys in a CloudHSM key store are rotated by hand");
        }
        Some(KeyOrigin::ExternalStore) => {
            return Applies::No("keys in an external key store are rotated outside AWS");
        }
        None => {
            return Applies::Unknown(
                UnknownReason::UnsupportedValue,
                "the origin of the key material is not known",
            );
        }
    }
    if &*metadata.spec != "SYMMETRIC_DEFAULT" {
        return Applies::No("AWS rotates symmetric encryption keys only");
    }
    if &*metadata.usage != "ENCRYPT_DECRYPT" {
        return Applies::No("AWS rotates keys for encryption only");
    }
    match metadata.state {
        AwsKeyState::Enabled | AwsKeyState::Updating => Applies::Yes,
        AwsKeyState::Disabled => Applies::No("the key is disabled"),
        AwsKeyState::PendingDeletion | AwsKeyState::PendingReplicaDeletion => {
            Applies::No("the key waits to be destroyed")
        }
        AwsKeyState::Creating | AwsKeyState::PendingImport => Applies::No("the key has no material yet"),
        AwsKeyState::Unavailable => Applies::No("the key store is not reachable"),
        AwsKeyState::Unrecognised => Applies::Unknown(
            UnknownReason::UnsupportedValue,
            "the state of the key is not known",
        ),
    }
}

/// Where the rotation of the key is read: at its primary if it is a replica and the primary was read.
pub(super) fn at_primary<'a>(case: &Case<'a>) -> Option<&'a AwsKmsKey> {
    let own = key(case)?;
    let Read::Known(metadata) = &own.metadata else {
        return Some(own);
    };
    match &metadata.multi_region_primary {
        Some(primary) if *primary != own.id => Some(case.inventory.key(primary).unwrap_or(own)),
        Some(_) | None => Some(own),
    }
}

/// Whether the key is a replica of a multi-Region key: its primary decides about rotation.
pub(super) fn is_replica(case: &Case<'_>) -> bool {
    match (key(case), metadata(case)) {
        (Some(key), Ok(metadata)) => metadata
            .multi_region_primary
            .as_ref()
            .is_some_and(|primary| *primary != key.id),
        (None, _) | (_, Err(_)) => false,
    }
}
