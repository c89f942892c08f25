//! Unpacks a log object: gzip or plain, told apart by its first bytes, within limits.
//!
//! The common case, one gzip member of honest size, is unpacked whole by libdeflate into a buffer that is kept. All else
//! (several members, a lying length, damage, bombs, giants) is streamed through a window, with the limits checked as the
//! bytes come (reference "reliability", sections 1.2 and 4.7).

use std::io::{ErrorKind, Read};

use keyvigil_model::batch::QuarantineReason;
use memchr::memmem;

use super::split::{MAX_RECORD, Tail};

#[cfg(test)]
mod tests;

/// The limits of one object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes as stored. CloudTrail itself stops at 50 MB.
    pub compressed: u64,
    /// Bytes after unpacking.
    pub uncompressed: u64,
    /// Unpacked bytes for each stored byte, once more than [`Limits::RATIO_FROM`] are unpacked.
    pub ratio: u64,
    /// Objects up to this size are unpacked in one piece.
    pub in_one_piece: u64,
}

impl Limits {
    /// Below this many bytes any ratio is harmless.
    pub const RATIO_FROM: u64 = 1024 * 1024;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            compressed: 64 * 1024 * 1024,
            uncompressed: 4 * 1024 * 1024 * 1024,
            ratio: 1000,
            in_one_piece: 32 * 1024 * 1024,
        }
    }
}

/// Receives the unpacked bytes.
pub(crate) trait Consumer {
    /// Bytes that were not seen before, in order.
    fn fresh(&mut self, bytes: &[u8]);
    /// A window over them. Answers how many of its bytes are dealt with; the rest comes again.
    fn window(&mut self, window: &[u8], tail: Tail) -> usize;
}

/// Why an object could not be unpacked to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    pub(crate) reason: QuarantineReason,
    pub(crate) detail: String,
}

/// Unpacks objects; keeps its buffers from one to the next.
pub(crate) struct Unpacker {
    decompressor: libdeflater::Decompressor,
    whole: Vec<u8>,
    window: Vec<u8>,
}

/// A multiple of the longest record, so that a window always makes progress.
const WINDOW: usize = 4 * MAX_RECORD;
/// Unpacked between two looks at the limits.
const STEP: usize = 256 * 1024;
const MAGIC: &[u8] = &[0x1f, 0x8b];
const MAGIC_DEFLATE: &[u8] = &[0x1f, 0x8b, 0x08];
/// Header and trailer of the smallest gzip member.
const SMALLEST: usize = 18;

impl Unpacker {
    pub(crate) fn new() -> Self {
        Self {
            decompressor: libdeflater::Decompressor::new(),
            whole: Vec::new(),
            window: Vec::new(),
        }
    }

    /// Unpacks an object into the consumer. What was read before a fault has been handed over.
    pub(crate) fn unpack(
        &mut self,
        object: &[u8],
        limits: &Limits,
        consumer: &mut dyn Consumer,
    ) -> Result<(), Fault> {
        if !object.starts_with(MAGIC) {
            consumer.fresh(object);
            consumer.window(object, Tail::End);
            return Ok(());
        }
        if object.len() as u64 > limits.compressed {
            return Err(Fault {
                reason: QuarantineReason::TooLarge,
                detail: format!(
                    "{} compressed bytes, the limit is {}",
                    object.len(),
                    limits.compressed
                ),
            });
        }
        match self.in_one_piece(object, limits) {
            Some(length) => {
                let whole = self.whole.get(..length).unwrap_or_default();
                consumer.fresh(whole);
                consumer.window(whole, Tail::End);
                Ok(())
            }
            None => self.streamed(object, limits, consumer),
        }
    }

    /// Unpacks one honest member. `None`: it is something else.
    fn in_one_piece(&mut self, object: &[u8], limits: &Limits) -> Option<usize> {
        let claimed = claimed_length(object)?;
        let plausible = claimed <= Limits::RATIO_FROM || claimed / limits.ratio <= object.len() as u64;
        if claimed == 0 || claimed > limits.in_one_piece || !plausible {
            return None;
        }
        // A second member would be passed over in silence. Its magic number may occur by chance: then we stream.
        if memmem::find_iter(object, MAGIC_DEFLATE)
            .skip(1)
            .any(|at| begins_a_member(object, at))
        {
            return None;
        }
        let length = usize::try_from(claimed).ok()?;
        if self.whole.len() < length {
            self.whole.resize(length, 0);
        }
        let target = self.whole.get_mut(..length)?;
        match self.decompressor.gzip_decompress(object, target) {
            Ok(written) if written == length => Some(length),
            Ok(_) | Err(_) => None,
        }
    }

    fn streamed(&mut self, object: &[u8], limits: &Limits, consumer: &mut dyn Consumer) -> Result<(), Fault> {
        let mut stream = flate2::bufread::MultiGzDecoder::new(object);
        self.window.resize(WINDOW, 0);
        let mut filled = 0;
        let mut total = 0u64;
        loop {
            let end = WINDOW.min(filled + STEP);
            let space = self.window.get_mut(filled..end).unwrap_or_default();
            let read = match stream.read(space) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    consumer.window(self.window.get(..filled).unwrap_or_default(), Tail::Cut);
                    let at = object.len() - stream.get_ref().len();
                    let detail = format!("{error} at compressed byte {at}, after {total} bytes");
                    return Err(Fault {
                        reason: QuarantineReason::BadCompression,
                        detail,
                    });
                }
            };
            consumer.fresh(space.get(..read).unwrap_or_default());
            filled += read;
            total += read as u64;
            let consumed = (object.len() - stream.get_ref().len()) as u64;
            if let Some(detail) = beyond(total, consumed, limits) {
                consumer.window(self.window.get(..filled).unwrap_or_default(), Tail::Cut);
                return Err(Fault {
                    reason: QuarantineReason::CompressionBomb,
                    detail,
                });
            }
            if filled == WINDOW {
                let done = consumer.window(&self.window, Tail::More);
                self.window.copy_within(done.., 0);
                filled -= done;
            }
        }
        consumer.window(self.window.get(..filled).unwrap_or_default(), Tail::End);
        Ok(())
    }
}

/// Whether the magic number can be that of a member: the upper bits of its flags are zero (RFC 1952, section 2.3.1.2).
fn begins_a_member(object: &[u8], at: usize) -> bool {
    object
        .get(at + MAGIC_DEFLATE.len())
        .is_some_and(|flags| flags & 0xe0 == 0)
}

/// The length that the last member claims, modulo 2^32 (RFC 1952, section 2.3.1: ISIZE).
fn claimed_length(object: &[u8]) -> Option<u64> {
    if object.len() < SMALLEST {
        return None;
    }
    let (_, last) = object.split_last_chunk::<4>()?;
    Some(u64::from(u32::from_le_bytes(*last)))
}

/// What is wrong with so many bytes from so few.
fn beyond(total: u64, consumed: u64, limits: &Limits) -> Option<String> {
    if total > limits.uncompressed {
        return Some(format!("more than {} bytes", limits.uncompressed));
    }
    if total > Limits::RATIO_FROM && total / limits.ratio > consumed {
        return Some(format!(
            "{total} bytes from {consumed} compressed ones, the limit is {} to one",
            limits.ratio
        ));
    }
    None
}
