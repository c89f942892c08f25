//! Names of keys: which alias and which bare id stands for which key, per account and region.

use std::collections::HashMap;

use keyvigil_model::id::{AccountId, KeyId, Region};
use keyvigil_model::key::{KeyForm, KeyRef};
use keyvigil_model::resource::ResourceRef;
use keyvigil_model::snapshot::AwsKmsKey;
use keyvigil_model::untrusted::Untrusted;
use keyvigil_model::verdict::Read;

/// Names of the keys that are held.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// By full name.
    keys: HashMap<KeyId, Named>,
    /// By alias (`alias/x`) or bare id.
    short: HashMap<String, Vec<KeyId>>,
}

#[derive(Debug)]
struct Named {
    reference: ResourceRef,
    short: Vec<String>,
    alias: Option<Untrusted>,
}

impl Names {
    pub(super) fn put(&mut self, key: &AwsKmsKey, reference: &ResourceRef) {
        // Aliases that could not be read this time: the old ones may have moved, so they are forgotten.
        let aliases: &[Untrusted] = match &key.aliases {
            Read::Known(aliases) => aliases,
            Read::Unknown(_) => &[],
        };
        self.remove(&key.id);
        let mut short: Vec<String> = aliases.iter().map(|alias| alias.raw().to_owned()).collect();
        short.extend(bare_id(key.id.as_str()).map(str::to_owned));
        for name in &short {
            self.short.entry(name.clone()).or_default().push(key.id.clone());
        }
        let named = Named {
            reference: reference.clone(),
            short,
            alias: aliases.first().cloned(),
        };
        self.keys.insert(key.id.clone(), named);
    }

    pub(super) fn remove(&mut self, key: &KeyId) {
        let Some(named) = self.keys.remove(key) else {
            return;
        };
        for name in named.short {
            if let Some(keys) = self.short.get_mut(&name) {
                keys.retain(|known| known != key);
                if keys.is_empty() {
                    self.short.remove(&name);
                }
            }
        }
    }

    /// Every form in which a resource may name the key. Not known: only its full name.
    pub(super) fn names_of(&self, key: &KeyId) -> Vec<KeyId> {
        let mut names = vec![key.clone()];
        let (prefix, _) = key.as_str().rsplit_once(":key/").unwrap_or_default();
        for short in self.keys.get(key).into_iter().flat_map(|named| &named.short) {
            names.push(KeyId::from(short.as_str()));
            if short.starts_with("alias/") {
                names.push(KeyId::new(format!("{prefix}:{short}")));
            }
        }
        names
    }

    /// The keys of that short name, in whichever account and region.
    pub(super) fn sharing(&self, short: &str) -> Vec<ResourceRef> {
        let keys = self.short.get(short).into_iter().flatten();
        keys.filter_map(|key| self.reference(key).cloned()).collect()
    }

    pub(super) fn reference(&self, key: &KeyId) -> Option<&ResourceRef> {
        self.keys.get(key).map(|named| &named.reference)
    }

    pub(super) fn resolve(&self, key: &KeyRef) -> KeyRef {
        let mut resolved = key.clone();
        if let Some(id) = self.full_name(key) {
            resolved.id = id;
            resolved.form = KeyForm::Canonical;
        }
        let (account, region) = place_in_arn(resolved.id.as_str());
        resolved.account = account.or(resolved.account);
        resolved.region = region.or(resolved.region);
        if let Some(named) = self.keys.get(&resolved.id) {
            if key.form == KeyForm::Alias && resolved.alias.is_none() {
                resolved.alias = alias_part(key.id.as_str()).map(Untrusted::from);
            }
            resolved.alias = resolved.alias.or_else(|| named.alias.clone());
        }
        resolved
    }

    /// The only key of that short name in the account and region, as far as they are known.
    fn full_name(&self, key: &KeyRef) -> Option<KeyId> {
        let short = match key.form {
            KeyForm::Canonical => return None,
            KeyForm::Alias => alias_part(key.id.as_str())?,
            KeyForm::Bare => key.id.as_str(),
            KeyForm::Unrecognised => return None,
        };
        let (account, region) = place_in_arn(key.id.as_str());
        let account = account.or_else(|| key.account.clone());
        let region = region.or_else(|| key.region.clone());
        let mut fitting = self.short.get(short)?.iter().filter(|id| {
            let (key_account, key_region) = place_in_arn(id.as_str());
            (account.is_none() || account == key_account) && (region.is_none() || region == key_region)
        });
        let only = fitting.next()?;
        fitting.next().is_none().then(|| only.clone())
    }
}

/// A reference to a key as a configuration writes it; account and region are those of the resource where the name
/// does not say them.
pub(super) fn key_ref(name: &KeyId, account: Option<&AccountId>, region: Option<&Region>) -> KeyRef {
    let (own_account, own_region) = place_in_arn(name.as_str());
    KeyRef {
        id: name.clone(),
        form: form_of(name.as_str()),
        account: own_account.or_else(|| account.cloned()),
        region: own_region.or_else(|| region.cloned()),
        alias: None,
    }
}

/// The form of a key's name.
pub(super) fn form_of(name: &str) -> KeyForm {
    if alias_part(name).is_some() {
        return KeyForm::Alias;
    }
    if name.starts_with("arn:") {
        return if bare_id(name).is_some() {
            KeyForm::Canonical
        } else {
            KeyForm::Unrecognised
        };
    }
    let id = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !name.is_empty() && name.chars().all(id) {
        KeyForm::Bare
    } else {
        KeyForm::Unrecognised
    }
}

/// `alias/x` of an alias or an alias ARN.
pub(super) fn alias_part(name: &str) -> Option<&str> {
    if name.starts_with("alias/") {
        return Some(name);
    }
    let (_, rest) = name.split_once(":alias/").filter(|_| name.starts_with("arn:"))?;
    name.get(name.len() - rest.len() - "alias/".len()..)
}

fn bare_id(arn: &str) -> Option<&str> {
    arn.rsplit_once(":key/").map(|(_, id)| id)
}

/// Account and region of an ARN.
fn place_in_arn(name: &str) -> (Option<AccountId>, Option<Region>) {
    let mut fields = name.splitn(6, ':');
    if fields.next() != Some("arn") {
        return (None, None);
    }
    let region = fields
        .nth(2)
        .filter(|region| !region.is_empty())
        .map(Region::from);
    let account = fields
        .next()
        .filter(|account| !account.is_empty())
        .map(AccountId::from);
    (account, region)
}
