//! What an operation asked for, as far as rules need it, in words that hold for every provider.

use std::sync::Arc;

use crate::id::AccountId;
use crate::key::{KeyOrigin, KeyRef, KeyTier};
use crate::policy_text::PolicyText;
use crate::time::Timestamp;
use crate::untrusted::Untrusted;

/// Parameters of an operation. One variant a concept, not one a provider.
#[derive(Clone, PartialEq, Debug)]
pub enum Facts {
    /// Nothing that a rule needs.
    None,
    /// The destruction of a key was asked for.
    Destruction {
        /// Days until it is final; `None` where the provider's default applies or the record does not say.
        window_days: Option<u32>,
    },
    /// An access policy was set (key, bucket, secret or identity policy).
    Policy {
        /// The new policy. `None` if it was cut out of the record.
        policy: Option<PolicyText>,
        /// The caller asked to skip the check that keeps the caller from locking everybody out.
        lockout_check_bypassed: bool,
    },
    /// A grant was created.
    Grant(Grant),
    /// A key was created or replicated.
    Creation {
        /// Where its material comes from; `None` if the record does not say.
        origin: Option<KeyOrigin>,
        /// The region that it was replicated to.
        replica_region: Option<Untrusted>,
    },
    /// Key material was imported.
    Import {
        /// When it expires.
        expires: Option<Timestamp>,
    },
    /// Default encryption was set.
    Encryption {
        /// The new level.
        tier: Option<KeyTier>,
        /// The new key, where the caller named one.
        key: Option<KeyRef>,
    },
    /// Storage was created, copied or restored.
    Storage {
        /// Whether the new copy is encrypted; `None` where the default applies.
        encrypted: Option<bool>,
        /// The key, where the caller named one.
        key: Option<KeyRef>,
        /// The snapshot or instance that it was made from.
        copied_from: Option<Untrusted>,
    },
    /// Objects were written under a key that the caller supplied.
    CustomerKeyWrite {
        /// The bucket.
        bucket: Untrusted,
        /// The object.
        object: Option<Untrusted>,
    },
    /// The scope of an audit log was set.
    AuditScope(AuditScope),
    /// Permissions were given to an identity.
    Permissions {
        /// Who receives them.
        grantee: Untrusted,
        /// A policy document given directly.
        policy: Option<PolicyText>,
        /// A named role or managed policy.
        role: Option<Untrusted>,
    },
    /// The rotation period was set.
    Rotation {
        /// Days between rotations.
        period_days: Option<u32>,
    },
    /// A secret was deleted.
    SecretDeletion {
        /// Without a recovery window.
        irreversible: bool,
    },
    /// Secrets were read; one call may read several.
    SecretRead {
        /// The secrets named by the call. Empty if it named none (a batch read by filter).
        secrets: Vec<Untrusted>,
        /// Whether the value was decrypted (SSM parameters may be read without).
        decrypted: bool,
    },
    /// An alias was pointed at a key.
    Alias {
        /// The alias.
        alias: Untrusted,
    },
}

/// A grant on a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// Who may use the key.
    pub grantee: Untrusted,
    /// The account of the grantee, where its name says it.
    pub grantee_account: Option<AccountId>,
    /// Whether the grantee is a service of the provider (`rds.amazonaws.com`).
    pub grantee_is_service: bool,
    /// The operations granted, in the provider's words.
    pub operations: Vec<Arc<str>>,
    /// Whether an encryption-context constraint bounds the grant.
    pub constrained: bool,
}

/// What an audit log will record from now on, as the call asked.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct AuditScope {
    /// Management events are no longer recorded by at least one selector and by none of the others.
    pub management_off: bool,
    /// Only reads or only writes are recorded. Decrypt counts as a read.
    pub reads_or_writes_only: bool,
    /// Services whose events are excluded (`kms.amazonaws.com`).
    pub excluded_services: Vec<Arc<str>>,
    /// The log covers fewer regions than all.
    pub single_region: bool,
    /// Events of global services are off.
    pub global_events_off: bool,
    /// The log no longer covers the organisation.
    pub organisation_off: bool,
    /// File validation (signed digests) was switched off.
    pub validation_off: bool,
    /// The selectors use a form that could not be understood: treat the scope as unknown.
    pub not_understood: bool,
}

impl AuditScope {
    /// Whether key events are no longer fully recorded.
    pub fn narrows(&self) -> bool {
        self.management_off
            || self.reads_or_writes_only
            || !self.excluded_services.is_empty()
            || self.single_region
            || self.global_events_off
            || self.organisation_off
    }
}
