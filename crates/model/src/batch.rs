//! What a log reader hands to the pipeline in one piece, to be committed in one transaction.

use std::sync::Arc;

use crate::event::AuditEvent;
use crate::id::{AccountId, Region, SourceId};
use crate::provider::Provider;
use crate::time::Timestamp;

/// Records read together. Nothing in it is acknowledged to the source before it is committed.
#[derive(Clone, PartialEq, Debug)]
pub struct Batch {
    /// The source that it came from.
    pub source: SourceId,
    /// The provider of the source.
    pub provider: Provider,
    /// What can matter, normalised.
    pub events: Vec<AuditEvent>,
    /// What could not be read: kept, counted and shown, never dropped.
    pub quarantined: Vec<Quarantined>,
    /// What was seen, whether it could matter or not.
    pub coverage: Vec<Coverage>,
    /// New checkpoints, to be stored with what they cover.
    pub checkpoints: Vec<CheckpointUpdate>,
    /// Objects that are finished with this batch.
    pub objects: Vec<ObjectRecord>,
}

impl Batch {
    /// A batch with nothing in it yet.
    pub fn empty(source: SourceId, provider: Provider) -> Self {
        Self {
            source,
            provider,
            events: Vec::new(),
            quarantined: Vec::new(),
            coverage: Vec::new(),
            checkpoints: Vec::new(),
            objects: Vec::new(),
        }
    }
}

/// A record, message or object that could not be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quarantined {
    /// Where it was: file, object key or message id, and the record's position.
    pub origin: Arc<str>,
    /// What was wrong with it.
    pub reason: QuarantineReason,
    /// More about the reason, for a person.
    pub detail: Arc<str>,
    /// The bytes, cut to [`Quarantined::MAX_KEPT`].
    pub bytes: Arc<[u8]>,
}

impl Quarantined {
    /// At most this many bytes of an unreadable record are kept.
    pub const MAX_KEPT: usize = 64 * 1024;
}

/// Why something was put in quarantine. A closed list, so that it can be a metric label.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum QuarantineReason {
    /// Not JSON.
    NotJson,
    /// JSON, but not an object.
    NotAnObject,
    /// A field that identifies the record is missing (`eventID`, `eventTime`, `eventName`).
    MissingField,
    /// A field has the wrong type.
    WrongType,
    /// Nested deeper than the limit.
    TooDeep,
    /// Larger than the limit.
    TooLarge,
    /// The compressed stream is broken or ends early.
    BadCompression,
    /// The compressed stream grows beyond the limit.
    CompressionBomb,
    /// A major version of the record format that is not known. The record is evaluated all the same.
    UnknownVersion,
    /// The object named by a message does not exist.
    ObjectMissing,
    /// The object named by a message may not be read.
    ObjectDenied,
    /// A message that names an object outside the configured buckets or accounts.
    NotAllowed,
    /// A message of no known shape.
    BadMessage,
    /// The process died three times while working on it.
    Poison,
}

impl QuarantineReason {
    /// Every reason.
    pub const ALL: [Self; 14] = [
        Self::NotJson,
        Self::NotAnObject,
        Self::MissingField,
        Self::WrongType,
        Self::TooDeep,
        Self::TooLarge,
        Self::BadCompression,
        Self::CompressionBomb,
        Self::UnknownVersion,
        Self::ObjectMissing,
        Self::ObjectDenied,
        Self::NotAllowed,
        Self::BadMessage,
        Self::Poison,
    ];

    /// The word used in metrics and listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::MissingField => "missing_field",
            Self::WrongType => "wrong_type",
            Self::TooDeep => "too_deep",
            Self::TooLarge => "too_large",
            Self::BadCompression => "bad_compression",
            Self::CompressionBomb => "compression_bomb",
            Self::UnknownVersion => "unknown_version",
            Self::ObjectMissing => "object_missing",
            Self::ObjectDenied => "object_denied",
            Self::NotAllowed => "not_allowed",
            Self::BadMessage => "bad_message",
            Self::Poison => "poison",
        }
    }

    /// The inverse of [`QuarantineReason::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// How many records of one account and region were seen, and how recent they are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Coverage {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// Records seen, duplicates included.
    pub records: u64,
    /// Records of key services among them.
    pub key_records: u64,
    /// The newest event time seen, where a record was parsed.
    pub newest: Option<Timestamp>,
}

/// A new position in a source. The value belongs to the code that reads that source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointUpdate {
    /// What it is a position in: `source/account/region/stream`.
    pub scope: Arc<str>,
    /// The position.
    pub value: Arc<str>,
}

/// An object that was read to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectRecord {
    /// Bucket or folder.
    pub bucket: Arc<str>,
    /// Key or path.
    pub key: Arc<str>,
    /// The version that was read: an ETag, or size and modification time of a file.
    pub version: Arc<str>,
    /// Records in it.
    pub records: u64,
    /// Uncompressed bytes.
    pub bytes: u64,
    /// SHA-256 of the uncompressed bytes: what CloudTrail's digest files list.
    pub sha256: [u8; 32],
}
