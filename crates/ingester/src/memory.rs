//! What the drivers ask of the store: positions, the object ledger and the attempts on each item.
//!
//! Positions and ledger rows are *written* with the batch that they cover, by the pipeline, in one transaction. The
//! drivers only read them here; the attempts are the one thing that they write, before any work is done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use keyvigil_connector::call::BoxFuture;
use keyvigil_connector::object_log::ObjectRef;
use keyvigil_model::batch::Batch;
use keyvigil_model::id::SourceId;
use keyvigil_model::time::Timestamp;
use keyvigil_store::read::Reader;
use keyvigil_store::{Store, StoreError};

/// What is remembered between two runs.
pub trait Memory: Send + Sync {
    /// The position stored for a scope (`source/account/region/stream`).
    fn checkpoint<'a>(&'a self, scope: &'a str) -> BoxFuture<'a, Result<Option<String>, MemoryError>>;

    /// Whether this version of the object was read to its end before.
    fn object_known<'a>(
        &'a self,
        source: &'a SourceId,
        object: &'a ObjectRef,
        version: &'a str,
    ) -> BoxFuture<'a, Result<Ledger, MemoryError>>;

    /// Notes that work on an item begins, durably, before it begins. Returns how often it began, this time included.
    fn begin_attempt<'a>(&'a self, item: &'a str, now: Timestamp) -> BoxFuture<'a, Result<u32, MemoryError>>;

    /// Forgets the attempts on an item: the process survived it.
    fn clear_attempt<'a>(&'a self, item: &'a str) -> BoxFuture<'a, Result<(), MemoryError>>;
}

/// What the object ledger says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ledger {
    /// Read to its end and committed.
    Read,
    /// Not read, or not to its end.
    Unread,
}

fn ledger(known: bool) -> Ledger {
    if known { Ledger::Read } else { Ledger::Unread }
}

/// The store did not answer.
#[derive(Debug, thiserror::Error)]
#[error("the store did not answer")]
pub struct MemoryError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

impl From<StoreError> for MemoryError {
    fn from(error: StoreError) -> Self {
        Self(Box::new(error))
    }
}

impl Memory for Store {
    fn checkpoint<'a>(&'a self, scope: &'a str) -> BoxFuture<'a, Result<Option<String>, MemoryError>> {
        Box::pin(async move { Ok(Reader::checkpoint(self, scope).await?) })
    }

    fn object_known<'a>(
        &'a self,
        source: &'a SourceId,
        object: &'a ObjectRef,
        version: &'a str,
    ) -> BoxFuture<'a, Result<Ledger, MemoryError>> {
        Box::pin(async move {
            let known = Reader::object_known(self, source, &object.bucket, &object.key, version).await?;
            Ok(ledger(known))
        })
    }

    fn begin_attempt<'a>(&'a self, item: &'a str, now: Timestamp) -> BoxFuture<'a, Result<u32, MemoryError>> {
        Box::pin(async move { Ok(Self::begin_attempt(self, item, now).await?) })
    }

    fn clear_attempt<'a>(&'a self, item: &'a str) -> BoxFuture<'a, Result<(), MemoryError>> {
        Box::pin(async move { Ok(Self::clear_attempt(self, item).await?) })
    }
}

/// A memory that lasts as long as the process: for tests, and for runs without a store.
#[derive(Clone, Default)]
pub struct InMemory(Arc<Mutex<Remembered>>);

#[derive(Default)]
struct Remembered {
    checkpoints: BTreeMap<String, String>,
    objects: BTreeSet<(String, String, String, String)>,
    attempts: BTreeMap<String, u32>,
}

impl InMemory {
    /// Takes over what a pipeline would have committed with the batch.
    pub fn commit(&self, batch: &Batch) {
        self.with(|remembered| {
            for update in &batch.checkpoints {
                remembered
                    .checkpoints
                    .insert(update.scope.as_ref().to_owned(), update.value.as_ref().to_owned());
            }
            for object in &batch.objects {
                remembered.objects.insert((
                    batch.source.as_str().to_owned(),
                    object.bucket.as_ref().to_owned(),
                    object.key.as_ref().to_owned(),
                    object.version.as_ref().to_owned(),
                ));
            }
        });
    }

    /// Items on which work began and did not end.
    pub fn open_attempts(&self) -> BTreeMap<String, u32> {
        self.with(|remembered| remembered.attempts.clone())
    }

    fn with<T>(&self, change: impl FnOnce(&mut Remembered) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Memory for InMemory {
    fn checkpoint<'a>(&'a self, scope: &'a str) -> BoxFuture<'a, Result<Option<String>, MemoryError>> {
        let value = self.with(|remembered| remembered.checkpoints.get(scope).cloned());
        Box::pin(std::future::ready(Ok(value)))
    }

    fn object_known<'a>(
        &'a self,
        source: &'a SourceId,
        object: &'a ObjectRef,
        version: &'a str,
    ) -> BoxFuture<'a, Result<Ledger, MemoryError>> {
        let row = (
            source.as_str().to_owned(),
            object.bucket.as_ref().to_owned(),
            object.key.as_ref().to_owned(),
            version.to_owned(),
        );
        let known = self.with(|remembered| remembered.objects.contains(&row));
        Box::pin(std::future::ready(Ok(ledger(known))))
    }

    fn begin_attempt<'a>(
        &'a self,
        item: &'a str,
        _now: Timestamp,
    ) -> BoxFuture<'a, Result<u32, MemoryError>> {
        let count = self.with(|remembered| {
            let count = remembered.attempts.entry(item.to_owned()).or_default();
            *count += 1;
            *count
        });
        Box::pin(std::future::ready(Ok(count)))
    }

    fn clear_attempt<'a>(&'a self, item: &'a str) -> BoxFuture<'a, Result<(), MemoryError>> {
        self.with(|remembered| remembered.attempts.remove(item));
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use keyvigil_model::batch::{CheckpointUpdate, ObjectRecord};
    use keyvigil_model::provider::Provider;
    use keyvigil_store::{Commit, StoreOptions};

    use super::*;
    use crate::files::tests::Folder;

    fn object(version: &str) -> ObjectRef {
        ObjectRef {
            bucket: "logs".into(),
            key: "k".into(),
            version: Some(version.into()),
            size: None,
        }
    }

    /// Both memories answer alike after the same batch.
    async fn check(memory: &dyn Memory, source: &SourceId) {
        assert_eq!(memory.checkpoint("scope").await.unwrap().as_deref(), Some("{}"));
        assert_eq!(memory.checkpoint("other").await.unwrap(), None);
        for (version, expected) in [("v1", Ledger::Read), ("v2", Ledger::Unread)] {
            let known = memory.object_known(source, &object(version), version).await;
            assert_eq!(known.unwrap(), expected, "{version}");
        }
        let now = Timestamp::from_secs(1);
        for (item, expected) in [("a", 1), ("a", 2), ("b", 1)] {
            assert_eq!(memory.begin_attempt(item, now).await.unwrap(), expected, "{item}");
        }
        memory.clear_attempt("a").await.unwrap();
        assert_eq!(memory.begin_attempt("a", now).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn the_store_and_the_fake_answer_alike() {
        let source = SourceId::from("s");
        let mut batch = Batch::empty(source.clone(), Provider::Aws);
        batch.checkpoints.push(CheckpointUpdate {
            scope: "scope".into(),
            value: "{}".into(),
        });
        batch.objects.push(ObjectRecord {
            bucket: "logs".into(),
            key: "k".into(),
            version: "v1".into(),
            records: 1,
            bytes: 1,
            sha256: [0; 32],
        });
        let fake = InMemory::default();
        fake.commit(&batch);
        check(&fake, &source).await;

        let folder = Folder::new("store");
        let store = Store::open(&folder.0, StoreOptions::default()).await.unwrap();
        let mut commit = Commit::at(Timestamp::from_secs(1));
        commit.checkpoints = batch.checkpoints;
        commit.objects = vec![(source.clone(), batch.objects.remove(0))];
        store.commit(commit).await.unwrap();
        check(&store, &source).await;
        store.close().await.unwrap();
    }
}
