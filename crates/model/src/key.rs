//! References to keys, as events and resources name them.

use crate::id::{AccountId, KeyId, Region};
use crate::untrusted::Untrusted;

/// A key as something refers to it. Resolve it through the inventory before comparing two of them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct KeyRef {
    /// The name used: a key ARN, an alias ARN, `alias/x`, a bare id or a full resource name.
    pub id: KeyId,
    /// Which of these it is.
    pub form: KeyForm,
    /// The account that holds the key, where the name or the record says it.
    pub account: Option<AccountId>,
    /// The region of the key, where the name or the record says it.
    pub region: Option<Region>,
    /// The alias by which the caller named it, or that the inventory knows. People choose aliases.
    pub alias: Option<Untrusted>,
}

/// How a key was named.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyForm {
    /// The provider's full and final name; safe to compare.
    Canonical,
    /// An alias that the inventory must resolve; it may point elsewhere tomorrow.
    Alias,
    /// An id without account and region.
    Bare,
    /// None of the known shapes.
    Unrecognised,
}

impl KeyForm {
    /// Every form.
    pub const ALL: [Self; 4] = [Self::Canonical, Self::Alias, Self::Bare, Self::Unrecognised];

    /// The word used in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Canonical => "canonical",
            Self::Alias => "alias",
            Self::Bare => "bare",
            Self::Unrecognised => "unrecognised",
        }
    }

    /// The inverse of [`KeyForm::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.as_str() == text)
    }
}

/// Who created the material of a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyOrigin {
    /// The provider's key service.
    Provider,
    /// Imported by the customer.
    Imported,
    /// In the provider's dedicated hardware module (CloudHSM, Managed HSM).
    DedicatedHsm,
    /// In a key store outside the provider (XKS, EKM).
    ExternalStore,
}

/// Who administers a key; the order is the order of control that the customer has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum KeyTier {
    /// Not encrypted.
    None,
    /// Encrypted with a key that the provider owns and nobody sees (SSE-S3, Google default).
    ProviderOwned,
    /// Encrypted with a key that the provider manages in the customer's account (`aws/s3`).
    ProviderManaged,
    /// Encrypted with a key that the customer manages.
    CustomerManaged,
    /// Encrypted twice with customer-managed keys (DSSE-KMS, infrastructure encryption).
    CustomerManagedDual,
}

impl KeyTier {
    /// The word used in configuration and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ProviderOwned => "provider_owned",
            Self::ProviderManaged => "provider_managed",
            Self::CustomerManaged => "customer_managed",
            Self::CustomerManagedDual => "customer_managed_dual",
        }
    }
}
