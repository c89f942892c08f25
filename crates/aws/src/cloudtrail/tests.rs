//! Tests of the decoder as a whole.

mod agreement;
mod broken_files;
mod corpus;
mod goldens;
mod mutants;
mod samples;

use keyvigil_connector::object_log::{DecodeSummary, Decoded, Decoder, EncodedObject};
use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::batch::{QuarantineReason, Quarantined};
use keyvigil_model::event::AuditEvent;

use super::{CloudTrailDecoder, Hashing};

/// Everything that an object gave.
struct Whole {
    events: Vec<AuditEvent>,
    quarantined: Vec<Quarantined>,
    summary: DecodeSummary,
    largest_piece: usize,
}

impl Whole {
    fn reasons(&self) -> Vec<QuarantineReason> {
        self.quarantined.iter().map(|entry| entry.reason).collect()
    }

    fn ids(&self) -> Vec<&str> {
        self.events.iter().map(|event| event.id.as_str()).collect()
    }
}

fn everything() -> ActionSet {
    ActionSet::of(Action::ALL)
}

fn decode(bytes: &[u8], wanted: ActionSet) -> Whole {
    decode_with(&CloudTrailDecoder::new(Hashing::Off), bytes, wanted)
}

fn decode_with(decoder: &CloudTrailDecoder, bytes: &[u8], wanted: ActionSet) -> Whole {
    let mut all = Decoded::default();
    let mut largest_piece = 0;
    let object = EncodedObject {
        origin: "test",
        bytes,
        account: None,
        wanted,
    };
    let summary = decoder.decode(&object, &mut |piece| {
        largest_piece = largest_piece.max(piece.events.len());
        all.events.extend(piece.events);
        all.quarantined.extend(piece.quarantined);
    });
    Whole {
        events: all.events,
        quarantined: all.quarantined,
        summary,
        largest_piece,
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::new(6).unwrap());
    let mut packed = vec![0; compressor.gzip_compress_bound(bytes.len())];
    let length = compressor.gzip_compress(bytes, &mut packed).unwrap();
    packed.truncate(length);
    packed
}
