//! Reads one log object: ledger, attempts, fetch, decode in pieces, commit. Used by the queue, the listing and the
//! watched folder.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use keyvigil_bus::NotCommitted;
use keyvigil_connector::failure::{CallError, FailureClass};
use keyvigil_connector::object_log::{
    DecodeSummary, Decoded, Decoder, EncodedObject, FetchedObject, ObjectRef, ObjectSource, ObjectStore,
};
use keyvigil_model::batch::{Batch, ObjectRecord, QuarantineReason, Quarantined};
use keyvigil_model::id::AccountId;
use keyvigil_store::failpoint::hit;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::bytes::{ByteBudget, BytesHeld};
use crate::driver::{Driver, Sight, Step, wait_after};
use crate::memory::{Ledger, MemoryError};
use work::{Work, attempt_item};

mod work;

/// How objects are read.
#[derive(Clone)]
pub struct ObjectSettings {
    /// For one fetch.
    pub fetch_timeout: Duration,
    /// A fetch that fails in a way that may pass is repeated for so long before the object is left.
    pub fetch_patience: Duration,
    /// After the process died so often on an object, it is put in quarantine.
    pub max_deaths: u32,
    /// Bytes of objects in memory, over all sources of the process.
    pub bytes: ByteBudget,
    /// What the place of an object says about it.
    pub place: Place,
}

/// What the place of an object says about it; the provider knows its layout.
#[derive(Clone, Copy)]
pub struct Place {
    /// Where it is, for people: a path or `s3://bucket/key`.
    pub origin: fn(&ObjectRef) -> String,
    /// The account whose log it must be.
    pub account: fn(&ObjectRef) -> Option<AccountId>,
}

impl ObjectSettings {
    /// The documented limits.
    pub fn new(bytes: ByteBudget, place: Place) -> Self {
        Self {
            fetch_timeout: Duration::from_secs(600),
            fetch_patience: Duration::from_secs(600),
            max_deaths: 3,
            bytes,
            place,
        }
    }
}

/// A log made of objects. The queue and the listing of one source share it.
pub struct ObjectLog {
    store: Arc<dyn ObjectStore>,
    decoder: Arc<dyn Decoder>,
    settings: ObjectSettings,
    pub(crate) driver: Driver,
    pub(crate) sight: Sight,
    work: Work,
}

/// An object needs nothing more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Finished {
    /// Read to its end and committed.
    Read,
    /// It had been read before.
    Known,
    /// It cannot be read, and that is committed.
    Quarantined,
}

/// An object must be looked at again.
#[derive(Debug)]
pub(crate) enum Unfinished {
    /// It is in work elsewhere.
    Busy,
    /// It could not be fetched.
    Call(CallError),
    /// The pipeline did not commit.
    NotCommitted,
    /// The store did not answer.
    Memory(MemoryError),
    /// The decoder died on it.
    Died,
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("in work elsewhere"),
            Self::Call(error) => write!(f, "{error}"),
            Self::NotCommitted => write!(f, "{NotCommitted}"),
            Self::Memory(error) => match std::error::Error::source(error) {
                Some(cause) => write!(f, "{error}: {cause}"),
                None => write!(f, "{error}"),
            },
            Self::Died => f.write_str("the decoder died"),
        }
    }
}

impl ObjectLog {
    /// A log of the objects in `store`.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        decoder: Arc<dyn Decoder>,
        settings: ObjectSettings,
        driver: Driver,
    ) -> Arc<Self> {
        let source = store.source();
        Arc::new(Self {
            sight: Sight::new(source.id.clone(), source.provider),
            work: Work::default(),
            store,
            decoder,
            settings,
            driver,
        })
    }

    pub(crate) fn source(&self) -> &ObjectSource {
        self.store.source()
    }

    pub(crate) fn store(&self) -> &dyn ObjectStore {
        self.store.as_ref()
    }

    /// Reads the object unless it is known; returns when everything in it is committed.
    pub(crate) async fn read(&self, object: &ObjectRef) -> Result<Finished, Unfinished> {
        if self.work.is_given_up(object) {
            return Ok(Finished::Quarantined);
        }
        let Some(_claim) = self.work.claim(object) else {
            return Err(Unfinished::Busy);
        };
        if let Some(version) = &object.version
            && self.known(object, version).await? == Ledger::Read
        {
            return Ok(self.was_known());
        }
        let item = attempt_item(&self.source().id, object);
        let attempts = self
            .driver
            .memory
            .begin_attempt(&item, self.driver.now())
            .await
            .map_err(Unfinished::Memory)?;
        if attempts > self.settings.max_deaths {
            let detail = format!("the process died {} times on it", attempts - 1);
            return self.give_up(object, QuarantineReason::Poison, &detail).await;
        }
        self.work.attempt_begun(&item);
        let result = self.fetch_and_publish(object).await;
        if matches!(result, Err(Unfinished::Died)) {
            // Counts as a death: the attempt stays open in the store.
            self.work.attempt_over(&item);
        } else {
            self.clear(&item).await;
        }
        result
    }

    async fn fetch_and_publish(&self, object: &ObjectRef) -> Result<Finished, Unfinished> {
        // Anybody who can write to the queue chooses the announced size: it refuses nothing. The store refuses an
        // object by what it holds itself.
        let assumed = object
            .size
            .unwrap_or(UNKNOWN_SIZE)
            .min(self.source().max_object_bytes);
        let mut held = self.settings.bytes.hold(assumed).await;
        let fetched = match self.fetch(object).await {
            Ok(fetched) => fetched,
            Err(error) => return self.not_fetched(object, error).await,
        };
        let real = fetched.bytes.len() as u64;
        if real > assumed {
            // Given back first: two that wait for more while they hold some could wait for ever.
            drop(held);
            held = self.settings.bytes.hold(real).await;
        }
        if object.version.as_ref() != Some(&fetched.version)
            && self.known(object, &fetched.version).await? == Ledger::Read
        {
            return Ok(self.was_known());
        }
        self.publish(object, fetched, held).await?;
        self.driver.metrics.objects.add(1);
        Ok(Finished::Read)
    }

    async fn fetch(&self, object: &ObjectRef) -> Result<FetchedObject, CallError> {
        let started = Instant::now();
        let mut attempt = 0;
        loop {
            let call = self.driver.call(self.settings.fetch_timeout);
            let limit = self.settings.fetch_timeout * 2;
            let error = match tokio::time::timeout(limit, self.store.fetch(&call, object)).await {
                Ok(Ok(fetched)) => {
                    self.sight.seeing(&self.driver, Step::Fetch).await;
                    return Ok(fetched);
                }
                Ok(Err(error)) => error,
                Err(_) => CallError::new(FailureClass::Transient, "fetch", "no answer in time"),
            };
            attempt += 1;
            let wait = wait_after(error.class, attempt);
            if !error.class.may_pass() || started.elapsed() + wait > self.settings.fetch_patience {
                return Err(error);
            }
            self.driver.metrics.failed(error.class);
            tokio::time::sleep(wait).await;
        }
    }

    async fn not_fetched(&self, object: &ObjectRef, error: CallError) -> Result<Finished, Unfinished> {
        match error.class {
            // One object says nothing about the sight of the whole source.
            FailureClass::NotFound => {
                self.driver.metrics.failed(error.class);
                self.give_up(object, QuarantineReason::ObjectMissing, &error.message)
                    .await
            }
            FailureClass::Permanent => {
                self.driver.metrics.failed(error.class);
                self.give_up(object, QuarantineReason::TooLarge, &error.message)
                    .await
            }
            FailureClass::Throttled(_)
            | FailureClass::Transient
            | FailureClass::Denied
            | FailureClass::Unauthenticated
            | FailureClass::Unreadable => {
                self.sight.failed(&self.driver, Step::Fetch, &error).await;
                Err(Unfinished::Call(error))
            }
        }
    }

    /// Decodes on a thread of its own and commits piece by piece; the last piece says that the object is finished.
    async fn publish(
        &self,
        object: &ObjectRef,
        fetched: FetchedObject,
        held: BytesHeld,
    ) -> Result<(), Unfinished> {
        let (sender, mut pieces) = mpsc::channel::<Decoded>(2);
        let decoder = Arc::clone(&self.decoder);
        let origin = (self.settings.place.origin)(object);
        let account = (self.settings.place.account)(object);
        let wanted = self.driver.wanted();
        let version = Arc::clone(&fetched.version);
        let decoding = tokio::task::spawn_blocking(move || {
            // Lives as long as the bytes do, even if nobody waits for us any more.
            let _held = held;
            let encoded = EncodedObject {
                origin: &origin,
                bytes: &fetched.bytes,
                account: account.as_ref(),
                wanted,
            };
            decoder.decode(&encoded, &mut |piece| {
                // Nobody takes it any more: the object will be read again from its start.
                let _gone = sender.blocking_send(piece).is_err();
            })
        });
        let mut last = Decoded::default();
        while let Some(piece) = pieces.recv().await {
            let before = std::mem::replace(&mut last, piece);
            if !before.events.is_empty() || !before.quarantined.is_empty() {
                self.commit(self.batch(before)).await?;
                hit("obj_mid");
            }
        }
        let summary = decoding.await.map_err(|error| {
            tracing::error!(key = %object.key, %error, "the decoder died");
            Unfinished::Died
        })?;
        let mut batch = self.batch(last);
        self.finish(&mut batch, object, version, summary);
        self.commit(batch).await
    }

    fn finish(&self, batch: &mut Batch, object: &ObjectRef, version: Arc<str>, summary: DecodeSummary) {
        batch.coverage = summary.coverage;
        batch.objects.push(ObjectRecord {
            bucket: Arc::clone(&object.bucket),
            key: Arc::clone(&object.key),
            version,
            records: summary.records,
            bytes: summary.bytes,
            sha256: summary.sha256,
        });
    }

    fn batch(&self, piece: Decoded) -> Batch {
        let source = self.source();
        let mut batch = Batch::empty(source.id.clone(), source.provider);
        batch.events = piece.events;
        batch.quarantined = piece.quarantined;
        batch
    }

    async fn commit(&self, batch: Batch) -> Result<(), Unfinished> {
        match self.driver.commit(batch).await {
            Ok(_counts) => Ok(()),
            Err(NotCommitted) => Err(Unfinished::NotCommitted),
        }
    }

    /// Commits that something of this source cannot be read.
    pub(crate) async fn quarantine(&self, quarantined: Quarantined) -> Result<(), Unfinished> {
        let mut batch = self.batch(Decoded::default());
        batch.quarantined.push(quarantined);
        self.commit(batch).await
    }

    /// Commits that an object cannot be read.
    pub(crate) async fn quarantine_object(
        &self,
        object: &ObjectRef,
        reason: QuarantineReason,
        detail: &str,
    ) -> Result<(), Unfinished> {
        self.quarantine(Quarantined {
            origin: (self.settings.place.origin)(object).into(),
            reason,
            detail: detail.into(),
            bytes: Arc::from([]),
        })
        .await
    }

    /// The same, and this process does not try again.
    pub(crate) async fn give_up(
        &self,
        object: &ObjectRef,
        reason: QuarantineReason,
        detail: &str,
    ) -> Result<Finished, Unfinished> {
        self.quarantine_object(object, reason, detail).await?;
        self.work.give_up(object);
        Ok(Finished::Quarantined)
    }

    /// Forgets the attempts of work that was dropped on purpose: that was not the object's fault.
    pub(crate) async fn forgive(&self) {
        for item in self.work.open_attempts() {
            self.clear(&item).await;
        }
    }

    /// The same for one object.
    pub(crate) async fn forgive_object(&self, object: &ObjectRef) {
        self.clear(&attempt_item(&self.source().id, object)).await;
    }

    async fn clear(&self, item: &str) {
        self.work.attempt_over(item);
        if let Err(error) = self.driver.memory.clear_attempt(item).await {
            // The count stays too high: after three such failures the object goes to quarantine, where it is seen.
            tracing::warn!(item, %error, "an attempt could not be cleared");
        }
    }

    async fn known(&self, object: &ObjectRef, version: &str) -> Result<Ledger, Unfinished> {
        let known = self
            .driver
            .memory
            .object_known(&self.source().id, object, version);
        known.await.map_err(Unfinished::Memory)
    }

    fn was_known(&self) -> Finished {
        self.driver.metrics.objects_known.add(1);
        Finished::Known
    }
}

/// Bytes set aside for an object whose announcement does not tell its size.
const UNKNOWN_SIZE: u64 = 4 * 1024 * 1024;
