//! An audit log that arrives as objects (files), announced by a queue or found by listing.

use std::sync::Arc;
use std::time::Duration;

use keyvigil_model::action::ActionSet;
use keyvigil_model::batch::{Coverage, Quarantined};
use keyvigil_model::event::AuditEvent;
use keyvigil_model::id::{AccountId, SourceId};
use keyvigil_model::provider::Provider;
use keyvigil_model::time::Day;

use crate::call::{BoxFuture, CallContext};
use crate::failure::CallError;

/// A queue of announcements. Messages are acknowledged only after everything in them is committed.
pub trait ObjectQueue: Send + Sync {
    /// Receives at most ten messages, waiting for them up to the call's timeout.
    fn receive<'a>(&'a self, call: &'a CallContext) -> BoxFuture<'a, Result<Vec<QueueMessage>, CallError>>;

    /// Keeps the message hidden from others for `span` from now.
    fn extend<'a>(
        &'a self,
        call: &'a CallContext,
        receipt: &'a Receipt,
        span: Duration,
    ) -> BoxFuture<'a, Result<(), CallError>>;

    /// Deletes the message.
    fn acknowledge<'a>(
        &'a self,
        call: &'a CallContext,
        receipt: &'a Receipt,
    ) -> BoxFuture<'a, Result<(), CallError>>;

    /// How long a received message stays hidden.
    fn visibility(&self) -> Duration;
}

/// A handle by which a message is acknowledged. It is not an id: it changes with every delivery.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt(pub Arc<str>);

/// One message of the queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueueMessage {
    /// Its id, the same in every delivery.
    pub id: Arc<str>,
    /// The handle of this delivery.
    pub receipt: Receipt,
    /// How often it was delivered, this time included.
    pub deliveries: u32,
    /// What it announces.
    pub body: MessageBody,
}

/// What a message announces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MessageBody {
    /// Objects to be read.
    Objects(Vec<ObjectRef>),
    /// Nothing to be read, with the reason: a test message, a deletion, a digest file.
    Nothing(&'static str),
    /// Something that must not or cannot be read.
    Quarantined(Quarantined),
}

/// An object that can be fetched.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ObjectRef {
    /// Bucket.
    pub bucket: Arc<str>,
    /// Key, decoded.
    pub key: Arc<str>,
    /// ETag, where the announcement has it. `None` means: whatever is there.
    pub version: Option<Arc<str>>,
    /// Compressed size in bytes, where the announcement has it.
    pub size: Option<u64>,
}

/// The store behind the queue.
pub trait ObjectStore: Send + Sync {
    /// What it is.
    fn source(&self) -> &ObjectSource;

    /// Fetches one object whole. Larger than [`ObjectSource::max_object_bytes`] is `FailureClass::Permanent`.
    fn fetch<'a>(
        &'a self,
        call: &'a CallContext,
        object: &'a ObjectRef,
    ) -> BoxFuture<'a, Result<FetchedObject, CallError>>;

    /// Lists one page of the log objects of a day; the net under lost messages.
    fn list<'a>(
        &'a self,
        call: &'a CallContext,
        day: Day,
        token: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, CallError>>;
}

/// A store of log objects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectSource {
    /// The source.
    pub id: SourceId,
    /// Its provider.
    pub provider: Provider,
    /// Objects with more compressed bytes are refused.
    pub max_object_bytes: u64,
}

/// An object with its content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchedObject {
    /// The content as stored (compressed).
    pub bytes: Vec<u8>,
    /// The version that was read (ETag).
    pub version: Arc<str>,
}

/// A page of a listing. The token continues a listing that spans several prefixes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListPage {
    /// The objects.
    pub objects: Vec<ObjectRef>,
    /// The token of the next page.
    pub next: Option<Arc<str>>,
}

/// Turns the bytes of one log object into events. Synchronous, CPU-bound, no I/O.
pub trait Decoder: Send + Sync {
    /// Decodes an object and hands over what it finds in pieces of bounded size, in the order of the object.
    ///
    /// It never fails as a whole: what cannot be read is handed over as quarantined.
    fn decode(&self, object: &EncodedObject<'_>, sink: &mut dyn FnMut(Decoded)) -> DecodeSummary;
}

/// An object to be decoded.
#[derive(Clone, Copy, Debug)]
pub struct EncodedObject<'a> {
    /// Where it came from, for people: a path or `s3://bucket/key`.
    pub origin: &'a str,
    /// Its bytes: gzip or plain, told apart by content and never by name.
    pub bytes: &'a [u8],
    /// The account whose log it must be, where the place says so. Records of others are quarantined.
    pub account: Option<&'a AccountId>,
    /// What can matter; anything else is only counted.
    pub wanted: ActionSet,
}

/// A piece of a decoded object.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Decoded {
    /// What can matter, normalised.
    pub events: Vec<AuditEvent>,
    /// What could not be read.
    pub quarantined: Vec<Quarantined>,
}

/// What an object held.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DecodeSummary {
    /// Records, readable or not.
    pub records: u64,
    /// Uncompressed bytes.
    pub bytes: u64,
    /// SHA-256 of the uncompressed bytes; zero where [`Decoder`] was told not to hash.
    pub sha256: [u8; 32],
    /// What was seen, by account and region.
    pub coverage: Vec<Coverage>,
}
