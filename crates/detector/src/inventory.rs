//! What snapshots say: the resources that exist, how they are configured, and which key protects which of them.
//!
//! It is rebuilt from snapshots after a restart and never stored. It is bounded: what does not fit is not kept, and
//! the listing that it came from no longer counts as complete, so nothing follows from its absence.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use keyvigil_model::id::{AccountId, KeyId, Region, ResourceId};
use keyvigil_model::key::KeyRef;
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::{ResourceKind, ResourceRef};
use keyvigil_model::snapshot::{AwsKmsKey, Config, Family, Resource, Snapshot, SnapshotScope};
use keyvigil_model::time::Timestamp;
use keyvigil_model::verdict::UnknownReason;

use names::Names;
use place::{Place, family_of, family_of_kind, named_key, place_of, placed, push_account};

pub use place::account_reference;

pub mod data_class;
mod names;
mod place;
mod protects;
mod tier;

#[cfg(test)]
mod tests;

/// Resources kept at most; the largest estates in reach have some ten thousand keys and buckets.
pub const MAX_RESOURCES: usize = 300_000;

/// What exists, as far as it was read.
#[derive(Debug)]
pub struct Inventory {
    held: BTreeMap<Place, Held>,
    /// Where each resource is held.
    places: HashMap<(ResourceKind, ResourceId), Vec<Place>>,
    /// Which resources name a key, by the name as it is written there.
    users: HashMap<KeyId, BTreeSet<Place>>,
    listings: BTreeMap<ListingPlace, Listing>,
    names: Names,
    capacity: usize,
}

type ListingPlace = (Provider, AccountId, Region, Family);

/// A resource and when it was read.
#[derive(Clone, PartialEq, Debug)]
pub struct Held {
    /// The resource; its reference names account and region.
    pub resource: Resource,
    /// The family that it was listed with.
    pub family: Family,
    /// The account from which it was read.
    pub seen_from: AccountId,
    /// When it was read.
    pub at: Timestamp,
}

/// The state of one listing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listing {
    /// Whether it came to its end: only then does absence prove anything.
    pub complete: bool,
    /// When.
    pub at: Timestamp,
}

/// What a snapshot changed.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct InventoryChange {
    /// To be judged again: what was read, whether it differs or not (some controls depend on time); what depends on
    /// a key that differs; and the account, where a control judges it as a whole.
    pub changed: Vec<ResourceRef>,
    /// No longer there.
    pub gone: Vec<ResourceRef>,
}

/// Whether a key exists, as far as can be told.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum KeyLookup<'a> {
    /// It does.
    Found(&'a AwsKmsKey, &'a Held),
    /// It does not: a complete listing of its account and region, made then, lacks it.
    Missing(Timestamp),
    /// It cannot be told.
    NotVisible(UnknownReason),
}

impl Default for Inventory {
    fn default() -> Self {
        Self::with_capacity(MAX_RESOURCES)
    }
}

impl Inventory {
    /// An empty inventory that keeps at most so many resources.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            held: BTreeMap::new(),
            places: HashMap::new(),
            users: HashMap::new(),
            listings: BTreeMap::new(),
            names: Names::default(),
            capacity,
        }
    }

    /// Takes in a snapshot. One that is older than what is held changes nothing of it.
    pub fn apply(&mut self, snapshot: &Snapshot) -> InventoryChange {
        let mut keys_that_differ: BTreeSet<KeyId> = BTreeSet::new();
        let mut change = InventoryChange::default();
        let mut kept: BTreeSet<Place> = BTreeSet::new();
        let mut overflow = false;
        for resource in &snapshot.resources {
            let resource = placed(resource, snapshot);
            let place = place_of(snapshot, &resource.reference);
            kept.insert(place.clone());
            if !self.held.contains_key(&place) && self.held.len() >= self.capacity {
                overflow = true;
                continue;
            }
            change.changed.push(resource.reference.clone());
            self.put(place, resource, snapshot, &mut keys_that_differ);
        }
        match &snapshot.scope {
            SnapshotScope::Complete(families) => {
                for family in families {
                    self.note_listing(snapshot, *family, !overflow);
                    self.remove_missing(snapshot, *family, &kept, &mut change, &mut keys_that_differ);
                }
                push_account(snapshot, families, &mut change);
            }
            SnapshotScope::Partial(families) => {
                for family in families {
                    self.note_listing(snapshot, *family, false);
                }
                push_account(snapshot, families, &mut change);
            }
            SnapshotScope::One(reference) => {
                push_account(snapshot, &family_of_kind(reference.kind), &mut change)
            }
            SnapshotScope::Gone(reference) => {
                let place = place_of(snapshot, reference);
                self.remove(&place, snapshot.taken_at, &mut change, &mut keys_that_differ);
                push_account(snapshot, &family_of_kind(reference.kind), &mut change);
            }
        }
        self.push_dependents(&keys_that_differ, &mut change);
        let mut seen = BTreeSet::new();
        change
            .changed
            .retain(|reference| seen.insert((reference.kind, reference.id.clone())));
        change
    }

    fn put(
        &mut self,
        place: Place,
        resource: Resource,
        snapshot: &Snapshot,
        differing: &mut BTreeSet<KeyId>,
    ) {
        let family = family_of(&resource);
        let known = self.held.get(&place);
        if known.is_some_and(|known| known.at > snapshot.taken_at) {
            return;
        }
        if let Config::AwsKmsKey(key) = &resource.config
            && known.is_none_or(|known| known.resource.config != resource.config)
        {
            // A key that got or lost a name concerns whatever uses that name.
            differing.extend(self.names.names_of(&key.id));
            self.names.put(key, &resource.reference);
            differing.extend(self.names.names_of(&key.id));
        }
        self.forget_place(&place);
        if let Some(name) = named_key(&resource.config) {
            self.users.entry(name.clone()).or_default().insert(place.clone());
        }
        let same_id = self.places.entry((place.3, place.4.clone())).or_default();
        same_id.push(place.clone());
        let held = Held {
            resource,
            family,
            seen_from: snapshot.account.clone(),
            at: snapshot.taken_at,
        };
        self.held.insert(place, held);
    }

    /// Takes a resource out of all indexes.
    fn forget_place(&mut self, place: &Place) -> Option<Held> {
        let held = self.held.remove(place)?;
        if let Some(name) = named_key(&held.resource.config)
            && let Some(users) = self.users.get_mut(name)
        {
            users.remove(place);
            if users.is_empty() {
                self.users.remove(name);
            }
        }
        let id = (place.3, place.4.clone());
        if let Some(places) = self.places.get_mut(&id) {
            places.retain(|known| known != place);
            if places.is_empty() {
                self.places.remove(&id);
            }
        }
        Some(held)
    }

    fn note_listing(&mut self, snapshot: &Snapshot, family: Family, complete: bool) {
        let place = (
            snapshot.provider,
            snapshot.account.clone(),
            snapshot.region.clone(),
            family,
        );
        self.listings.insert(
            place,
            Listing {
                complete,
                at: snapshot.taken_at,
            },
        );
    }

    fn remove_missing(
        &mut self,
        snapshot: &Snapshot,
        family: Family,
        kept: &BTreeSet<Place>,
        change: &mut InventoryChange,
        differing: &mut BTreeSet<KeyId>,
    ) {
        let first: Place = (
            snapshot.provider,
            snapshot.account.clone(),
            snapshot.region.clone(),
            ResourceKind::Key,
            ResourceId::from(""),
        );
        let mut missing = Vec::new();
        for (place, held) in self.held.range(first..) {
            if (place.0, &place.1, &place.2) != (snapshot.provider, &snapshot.account, &snapshot.region) {
                break;
            }
            if held.family == family && !kept.contains(place) {
                missing.push(place.clone());
            }
        }
        for place in missing {
            self.remove(&place, snapshot.taken_at, change, differing);
        }
    }

    fn remove(
        &mut self,
        place: &Place,
        at: Timestamp,
        change: &mut InventoryChange,
        differing: &mut BTreeSet<KeyId>,
    ) {
        // Something read after the listing began is not gone because that listing lacks it.
        if self.held.get(place).is_none_or(|held| held.at > at) {
            return;
        }
        let Some(held) = self.forget_place(place) else {
            return;
        };
        if let Config::AwsKmsKey(key) = &held.resource.config {
            differing.extend(self.names.names_of(&key.id));
            self.names.remove(&key.id);
        }
        if self.find(&held.resource.reference).is_none() {
            change.gone.push(held.resource.reference);
        }
    }

    /// What uses one of the names must be judged again.
    fn push_dependents(&self, names: &BTreeSet<KeyId>, change: &mut InventoryChange) {
        for name in names {
            for place in self.users.get(name).into_iter().flatten() {
                change
                    .changed
                    .extend(self.held.get(place).map(|held| held.resource.reference.clone()));
            }
            // The keys of a multi-Region family share one bare id, and replicas are judged by their primary.
            if name.as_str().starts_with("mrk-") {
                change.changed.extend(self.names.sharing(name.as_str()));
            }
        }
    }

    /// Everything held, in a fixed order.
    pub fn all(&self) -> impl Iterator<Item = &Held> {
        self.held.values()
    }

    /// Everything of a family, in a fixed order.
    pub fn of_family(&self, family: Family) -> impl Iterator<Item = &Held> {
        self.held.values().filter(move |held| held.family == family)
    }

    /// A resource. If it is visible from several accounts: as its own account sees it, where that one was read.
    pub fn find(&self, reference: &ResourceRef) -> Option<&Held> {
        let places = self.places.get(&(reference.kind, reference.id.clone()))?;
        let mut best: Option<&Held> = None;
        for place in places {
            let Some(held) = self.held.get(place) else {
                continue;
            };
            let owner = held.resource.reference.account.as_ref();
            if reference.account.is_some() && reference.account.as_ref() != owner {
                continue;
            }
            if owner == Some(&held.seen_from) {
                return Some(held);
            }
            best = best.or(Some(held));
        }
        best
    }

    /// The listings of a family in an account, one a region.
    pub fn listings(&self, account: &AccountId, family: Family) -> impl Iterator<Item = &Listing> {
        self.listings
            .iter()
            .filter(move |(place, _)| place.1 == *account && place.3 == family)
            .map(|(_, listing)| listing)
    }

    /// The key with that full name.
    pub fn key(&self, key: &KeyId) -> Option<&AwsKmsKey> {
        match self.key_held(key)?.resource.config {
            Config::AwsKmsKey(ref key) => Some(key),
            _ => None,
        }
    }

    /// The key with that full name, as it is held.
    pub fn key_held(&self, key: &KeyId) -> Option<&Held> {
        self.find(self.names.reference(key)?)
    }

    /// Looks a key up, and says why if it is not there.
    pub fn look_up(&self, key: &KeyRef) -> KeyLookup<'_> {
        let resolved = self.resolve(key);
        if let Some(held) = self.key_held(&resolved.id)
            && let Config::AwsKmsKey(key) = &held.resource.config
        {
            return KeyLookup::Found(key, held);
        }
        let (Some(account), Some(region)) = (&resolved.account, &resolved.region) else {
            return KeyLookup::NotVisible(UnknownReason::NotVisible);
        };
        match self
            .listings
            .get(&(Provider::Aws, account.clone(), region.clone(), Family::Keys))
        {
            Some(listing) if listing.complete => KeyLookup::Missing(listing.at),
            Some(_) | None => KeyLookup::NotVisible(UnknownReason::NotVisible),
        }
    }

    /// The key by its full name: an alias or a bare id is looked up in its account and region. A name that is not
    /// known comes back as it is.
    pub fn resolve(&self, key: &KeyRef) -> KeyRef {
        self.names.resolve(key)
    }

    /// The key that a resource names, resolved.
    pub fn key_of(&self, resource: &Resource) -> Option<KeyRef> {
        let name = named_key(&resource.config)?;
        let at = &resource.reference;
        Some(self.resolve(&names::key_ref(name, at.account.as_ref(), at.region.as_ref())))
    }
}
