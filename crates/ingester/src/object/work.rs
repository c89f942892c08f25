//! What one process knows of the objects of a source: which are in work, which it gave up, which attempts are open.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keyvigil_connector::object_log::ObjectRef;
use keyvigil_model::id::SourceId;

/// Bucket, key and version: what replaces an object is another one.
type Identity = (Arc<str>, Arc<str>, Option<Arc<str>>);

/// At most this many objects are remembered as given up.
const MOST_GIVEN_UP: usize = 10_000;

#[derive(Default)]
pub(super) struct Work(Mutex<Books>);

#[derive(Default)]
struct Books {
    /// Objects in work, so that two messages never lead to the same work twice at the same time.
    in_work: HashSet<Identity>,
    /// Objects that will not be tried again by this process.
    given_up: HashSet<Identity>,
    /// Attempts that were begun and neither ended nor killed us.
    attempts: HashSet<String>,
}

/// An object in work; given back when dropped.
pub(super) struct Claim<'a> {
    work: &'a Work,
    identity: Identity,
}

impl Work {
    /// Takes the object into work, unless it is in work already.
    pub(super) fn claim(&self, object: &ObjectRef) -> Option<Claim<'_>> {
        let identity = identity(object);
        let fresh = self.lock().in_work.insert(identity.clone());
        fresh.then(|| Claim { work: self, identity })
    }

    pub(super) fn is_given_up(&self, object: &ObjectRef) -> bool {
        self.lock().given_up.contains(&identity(object))
    }

    pub(super) fn give_up(&self, object: &ObjectRef) {
        let mut books = self.lock();
        if books.given_up.len() >= MOST_GIVEN_UP {
            books.given_up.clear();
        }
        books.given_up.insert(identity(object));
    }

    pub(super) fn attempt_begun(&self, item: &str) {
        self.lock().attempts.insert(item.to_owned());
    }

    pub(super) fn attempt_over(&self, item: &str) {
        self.lock().attempts.remove(item);
    }

    pub(super) fn open_attempts(&self) -> Vec<String> {
        self.lock().attempts.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.work.lock().in_work.remove(&self.identity);
    }
}

/// What attempts on an object are counted under.
pub(super) fn attempt_item(source: &SourceId, object: &ObjectRef) -> String {
    let version = object.version.as_deref().unwrap_or_default();
    format!("{source}|{}|{}|{version}", object.bucket, object.key)
}

fn identity(object: &ObjectRef) -> Identity {
    (
        Arc::clone(&object.bucket),
        Arc::clone(&object.key),
        object.version.clone(),
    )
}
