//! Reads a file whole, within limits.
//!
//! A decoder takes bytes, so a file is held in memory while it is decoded: at most 64 MiB compressed (CloudTrail writes
//! at most 50 MB), at most 256 MiB plain. Larger files are refused as too large; split them.

use std::fs::{File, Metadata};
use std::io::{Error, ErrorKind, Read};
use std::path::Path;

/// The largest files that are read, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileLimits {
    /// Compressed files, told apart by their first two bytes.
    pub compressed: u64,
    /// All others.
    pub plain: u64,
}

impl Default for FileLimits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            compressed: 64 * MIB,
            plain: 256 * MIB,
        }
    }
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The system said no.
    #[error("cannot be read: {0}")]
    Io(Error),
    /// Larger than the limit for its kind.
    #[error("larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
}

/// Reads the file into `bytes`, which is emptied first. Returns what was known of the file when it was opened.
pub fn read_whole(path: &Path, limits: FileLimits, bytes: &mut Vec<u8>) -> Result<Metadata, Unreadable> {
    bytes.clear();
    let file = File::open(path).map_err(Unreadable::Io)?;
    let metadata = file.metadata().map_err(Unreadable::Io)?;
    if !metadata.is_file() {
        let kind = Error::new(ErrorKind::InvalidInput, "not a regular file");
        return Err(Unreadable::Io(kind));
    }
    let mut file = file;
    let mut start = Vec::with_capacity(2);
    (&mut file)
        .take(2)
        .read_to_end(&mut start)
        .map_err(Unreadable::Io)?;
    let limit = if start == GZIP {
        limits.compressed
    } else {
        limits.plain
    };
    if metadata.len() > limit {
        return Err(Unreadable::TooLarge { limit });
    }
    bytes.reserve(usize::try_from(metadata.len()).unwrap_or(0));
    bytes.extend_from_slice(&start);
    // The file may have grown since: the limit holds all the same.
    file.take(limit - start.len() as u64 + 1)
        .read_to_end(bytes)
        .map_err(Unreadable::Io)?;
    if bytes.len() as u64 > limit {
        bytes.clear();
        return Err(Unreadable::TooLarge { limit });
    }
    Ok(metadata)
}

/// The first bytes of a gzip stream (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];
