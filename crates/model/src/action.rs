//! What happened, in words that hold for every provider. Rules are written over these.

/// Declares the actions once: the enum, the list, the words.
macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $word:literal),+ $(,)?) => {
        /// A normalised operation. The provider's own name stays beside it in the event.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum Action {
            $($(#[$doc])* $name),+
        }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable word, used in the ledger, NDJSON and fixtures.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word),+
                }
            }
        }
    };
}

actions! {
    /// A key was created.
    KeyCreate = "key.create",
    /// Data was encrypted under a key.
    KeyEncrypt = "key.encrypt",
    /// Data was decrypted or a data key unwrapped.
    KeyDecrypt = "key.decrypt",
    /// Data was moved from one key to another. `keys[0]` is the source, `keys[1]` the destination.
    KeyReEncrypt = "key.re_encrypt",
    /// A data key was generated under a key.
    KeyDataKey = "key.data_key",
    /// Something was signed or verified.
    KeySign = "key.sign",
    /// A message authentication code was made or verified, or a shared secret derived.
    KeyMac = "key.mac",
    /// A key's configuration was read.
    KeyRead = "key.read",
    /// A key was scheduled for destruction.
    KeyScheduleDestroy = "key.schedule_destroy",
    /// A scheduled destruction was cancelled.
    KeyCancelDestroy = "key.cancel_destroy",
    /// A key is gone for good.
    KeyDestroy = "key.destroy",
    /// A key was disabled.
    KeyDisable = "key.disable",
    /// A key was enabled.
    KeyEnable = "key.enable",
    /// The policy of a key was replaced.
    KeyPolicySet = "key.policy_set",
    /// A grant on a key was created.
    KeyGrantCreate = "key.grant_create",
    /// A grant on a key was revoked or retired.
    KeyGrantRevoke = "key.grant_revoke",
    /// The import of key material was prepared.
    KeyImportPrepare = "key.import_prepare",
    /// Key material was imported.
    KeyImport = "key.import",
    /// Imported key material was deleted or expired.
    KeyMaterialDelete = "key.material_delete",
    /// Key material left the service (backup, release, export).
    KeyExport = "key.export",
    /// A key was rotated.
    KeyRotate = "key.rotate",
    /// Automatic rotation was switched on or its period changed.
    KeyRotationEnable = "key.rotation_enable",
    /// Automatic rotation was switched off.
    KeyRotationDisable = "key.rotation_disable",
    /// An alias was created, moved or deleted.
    KeyAliasChange = "key.alias_change",
    /// A key was replicated or its primary region moved.
    KeyReplicate = "key.replicate",
    /// A custom or external key store was changed.
    KeyStoreChange = "key.store_change",
    /// Any other operation of a key service.
    KeyOther = "key.other",
    /// A secret's value was read.
    SecretRead = "secret.read",
    /// Secrets were listed or described.
    SecretList = "secret.list",
    /// A secret was created or a value written.
    SecretWrite = "secret.write",
    /// A secret was deleted; see [`crate::facts::Facts::SecretDeletion`].
    SecretDestroy = "secret.destroy",
    /// A deleted secret was restored.
    SecretRestore = "secret.restore",
    /// The access policy of a secret was changed.
    SecretPolicySet = "secret.policy_set",
    /// Any other operation of a secret store.
    SecretOther = "secret.other",
    /// Default encryption was set or changed.
    DefaultEncryptionSet = "default_encryption.set",
    /// Default encryption was removed.
    DefaultEncryptionRemove = "default_encryption.remove",
    /// A database, disk or snapshot was created, copied or restored; see [`crate::facts::Facts::Storage`].
    StorageCreate = "storage.create",
    /// An object was written or copied under a key that the caller supplied (SSE-C, CSEK).
    ObjectWriteCustomerKey = "object.write_customer_key",
    /// An audit log was created or started.
    AuditStart = "audit.start",
    /// An audit log was stopped or deleted.
    AuditStop = "audit.stop",
    /// What an audit log records was changed; see [`crate::facts::Facts::AuditScope`].
    AuditScopeChange = "audit.scope_change",
    /// Where an audit log is delivered, or its integrity, was changed.
    AuditRedirect = "audit.redirect",
    /// A role, policy or permission was given to an identity; see [`crate::facts::Facts::Permissions`].
    PermissionGrant = "permission.grant",
    /// A bucket's policy or public access was changed.
    BucketPolicySet = "bucket.policy_set",
    /// Nothing that a rule looks at.
    Other = "other",
}

impl Action {
    /// The inverse of [`Action::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.as_str() == word)
    }

    /// Whether the action uses a key on data, as opposed to administering it.
    pub fn is_key_use(self) -> bool {
        matches!(
            self,
            Self::KeyEncrypt
                | Self::KeyDecrypt
                | Self::KeyReEncrypt
                | Self::KeyDataKey
                | Self::KeySign
                | Self::KeyMac
        )
    }

    /// Whether the action concerns a key at all.
    pub fn is_key(self) -> bool {
        self <= Self::KeyOther
    }

    /// Whether the action concerns a secret.
    pub fn is_secret(self) -> bool {
        self >= Self::SecretRead && self <= Self::SecretOther
    }
}

/// A set of actions: what the loaded rules and the ledger want to see. Readers derive their prefilter from it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ActionSet(u64);

const _: () = assert!(Action::ALL.len() <= 64, "ActionSet holds 64 actions");

impl ActionSet {
    /// The empty set.
    pub const EMPTY: Self = Self(0);

    /// A set of the listed actions.
    pub const fn of(actions: &[Action]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < actions.len() {
            bits |= 1 << actions[index] as u8;
            index += 1;
        }
        Self(bits)
    }

    /// Whether the action is in the set.
    pub const fn contains(self, action: Action) -> bool {
        self.0 & (1 << action as u8) != 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Every action that concerns a key or a secret: what the access ledger records.
    pub fn keys_and_secrets() -> Self {
        let mut all = Self::EMPTY;
        for action in Action::ALL {
            if action.is_key() || action.is_secret() {
                all = all.union(Self::of(&[*action]));
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_unique_and_round_trip() {
        for action in Action::ALL {
            assert_eq!(Action::parse(action.as_str()), Some(*action));
        }
    }

    #[test]
    fn key_and_secret_ranges_hold_what_their_words_say() {
        for action in Action::ALL {
            assert_eq!(action.is_key(), action.as_str().starts_with("key."), "{action:?}");
            assert_eq!(
                action.is_secret(),
                action.as_str().starts_with("secret."),
                "{action:?}"
            );
            assert_eq!(
                ActionSet::keys_and_secrets().contains(*action),
                action.is_key() || action.is_secret(),
                "{action:?}"
            );
        }
    }
}
