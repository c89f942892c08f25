//! Who holds the key that a resource is encrypted with, as far as can be told; and short questions that rules ask.

use keyvigil_model::key::{KeyRef, KeyTier};
use keyvigil_model::resource::ResourceRef;
use keyvigil_model::snapshot::{Config, Resource};
use keyvigil_model::verdict::{Read, UnknownReason};

use super::names::alias_part;
use super::{Inventory, KeyLookup};

impl Inventory {
    /// Whether the key was read.
    pub fn knows(&self, key: &KeyRef) -> bool {
        matches!(self.look_up(key), KeyLookup::Found(..))
    }

    /// Whether the keys of its account and region were listed to the end, so that a key that is not known is strange.
    pub fn should_know(&self, key: &KeyRef) -> bool {
        matches!(self.look_up(key), KeyLookup::Found(..) | KeyLookup::Missing(_))
    }

    /// The level of a bucket's default encryption, as last read.
    pub fn default_tier(&self, reference: &ResourceRef) -> Option<KeyTier> {
        self.tier_of(&self.find(reference)?.resource)?.ok()
    }

    /// The level of a resource's encryption. `None`: it holds no data.
    ///
    /// A key of another account is a customer's key: AWS-managed keys serve their own account only (KMS developer
    /// guide, "AWS managed keys").
    pub fn tier_of(&self, resource: &Resource) -> Option<Result<KeyTier, UnknownReason>> {
        match &resource.config {
            Config::AwsBucket(bucket) => Some(match &bucket.encryption {
                Read::Unknown(reason) => Err(*reason),
                Read::Known(encryption) => match encryption.tier {
                    KeyTier::None | KeyTier::ProviderOwned | KeyTier::ProviderManaged => Ok(encryption.tier),
                    // The configuration names a key; only the key itself says who manages it.
                    KeyTier::CustomerManaged | KeyTier::CustomerManagedDual => match &encryption.key {
                        Some(_) => self.tier_of_named_key(resource).map(|tier| match tier {
                            KeyTier::CustomerManaged => encryption.tier,
                            lower => lower,
                        }),
                        None => Ok(encryption.tier),
                    },
                },
            }),
            Config::Storage(storage) => Some(match &storage.encrypted {
                Read::Unknown(reason) => Err(*reason),
                Read::Known(false) => Ok(KeyTier::None),
                Read::Known(true) => self.tier_of_named_key(resource),
            }),
            Config::AwsKmsKey(_)
            | Config::AwsEbsDefault(_)
            | Config::AwsTrail(_)
            | Config::AwsRoot(_)
            | Config::AwsUser(_) => None,
        }
    }

    fn tier_of_named_key(&self, resource: &Resource) -> Result<KeyTier, UnknownReason> {
        let Some(key) = self.key_of(resource) else {
            return Err(UnknownReason::Unreadable);
        };
        if alias_part(key.id.as_str()).is_some_and(|alias| alias.starts_with("alias/aws/")) {
            return Ok(KeyTier::ProviderManaged);
        }
        if let KeyLookup::Found(key, _) = self.look_up(&key) {
            return match &key.metadata {
                Read::Known(metadata) if metadata.managed_by_customer => Ok(KeyTier::CustomerManaged),
                Read::Known(_) => Ok(KeyTier::ProviderManaged),
                Read::Unknown(reason) => Err(*reason),
            };
        }
        if key.account.is_some() && key.account != resource.reference.account {
            return Ok(KeyTier::CustomerManaged);
        }
        Err(UnknownReason::NotVisible)
    }
}
