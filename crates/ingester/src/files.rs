//! Files that are read once, in order: what `replay` does. Decoding is parallel, the order is that of the files.
//!
//! Each file has a small channel of its own; the consumer drains them one after the other. A worker that is ahead
//! waits when the channel of its file is full, so memory is bounded however large the files are: at most
//! [`FileSettings::workers`] files whole, and a few pieces of each file inside the window.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use keyvigil_connector::object_log::{DecodeSummary, Decoded, Decoder, EncodedObject};
use keyvigil_model::action::ActionSet;

use crate::files::whole::{FileLimits, Unreadable, read_whole};

pub mod expand;
pub mod whole;

/// How files are decoded.
#[derive(Clone, Copy, Debug)]
pub struct FileSettings {
    /// Threads that decode; at least one.
    pub workers: usize,
    /// What can matter.
    pub wanted: ActionSet,
    /// The largest files that are read.
    pub limits: FileLimits,
    /// Bytes of files in memory at the same time; a larger file is read alone.
    pub bytes: u64,
}

impl FileSettings {
    /// The documented limits.
    pub fn new(workers: usize, wanted: ActionSet) -> Self {
        Self {
            workers,
            wanted,
            limits: FileLimits::default(),
            bytes: 64 * 1024 * 1024,
        }
    }
}

/// Something about a file, in the order of the files and of the records in them.
#[derive(Debug)]
pub struct FileResult<'a> {
    /// The file.
    pub path: &'a Path,
    /// What it is.
    pub part: FilePart,
}

/// Something about a file.
#[derive(Debug)]
pub enum FilePart {
    /// Some of its records.
    Piece(Decoded),
    /// It was decoded to its end; nothing more follows of it.
    Done(DecodeSummary),
    /// It could not be read at all; nothing more follows of it.
    Unreadable(Unreadable),
    /// The decoder died on it. What came before stands; nothing more follows of it.
    Died,
}

/// Decodes the files on several threads and hands everything to `sink` on this one, strictly in the order of `paths`.
/// Every file ends with exactly one of `Done`, `Unreadable` and `Died`.
pub fn decode_files(
    paths: &[PathBuf],
    decoder: &dyn Decoder,
    settings: FileSettings,
    mut sink: impl FnMut(FileResult<'_>),
) {
    let workers = settings.workers.max(1);
    // Small files are finished quickly: the window lets workers go ahead of the one that is drained.
    let window = workers * 4;
    let (jobs, queue) = sync_channel::<Job<'_>>(window);
    let queue = Mutex::new(queue);
    let bytes = Bytes::new(settings.bytes);
    let (queue, bytes) = (&queue, &bytes);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(move || work(queue, bytes, decoder, settings));
        }
        let mut waiting = VecDeque::new();
        let mut rest = paths.iter();
        loop {
            while waiting.len() < window {
                let Some(path) = rest.next() else { break };
                let (parts, receiver) = sync_channel(PIECES_AHEAD);
                if jobs.send(Job { path, parts }).is_err() {
                    break;
                }
                waiting.push_back((path, receiver));
            }
            let Some((path, parts)) = waiting.pop_front() else {
                break;
            };
            drain(path, &parts, &mut sink);
        }
        // Without senders the workers end.
        drop(jobs);
    });
}

/// Pieces of a file that wait for their turn.
const PIECES_AHEAD: usize = 4;
/// A worker keeps its buffer for the next file unless it is larger than this.
const KEEP_BUFFER: usize = 8 * 1024 * 1024;

struct Job<'a> {
    path: &'a Path,
    parts: SyncSender<FilePart>,
}

fn drain(path: &Path, parts: &Receiver<FilePart>, sink: &mut impl FnMut(FileResult<'_>)) {
    let mut ended = false;
    while let Ok(part) = parts.recv() {
        ended = !matches!(part, FilePart::Piece(_));
        sink(FileResult { path, part });
    }
    if !ended {
        let part = FilePart::Died;
        sink(FileResult { path, part });
    }
}

fn work(queue: &Mutex<Receiver<Job<'_>>>, bytes: &Bytes, decoder: &dyn Decoder, settings: FileSettings) {
    let mut buffer = Vec::new();
    loop {
        let (job, held) = {
            let queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            let Ok(job) = queue.recv() else { return };
            // Taken under the lock, in the order of the files: the file that is drained never waits for bytes that
            // a later one holds.
            let size = std::fs::metadata(job.path).map_or(0, |metadata| metadata.len());
            let held = bytes.hold(size);
            (job, held)
        };
        let decode = || decode_one(&job, decoder, settings, &mut buffer);
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode)).is_err() {
            // The sink tells: the channel closes without an end.
            buffer = Vec::new();
        }
        drop(held);
        if buffer.capacity() > KEEP_BUFFER {
            buffer = Vec::new();
        }
    }
}

fn decode_one(job: &Job<'_>, decoder: &dyn Decoder, settings: FileSettings, buffer: &mut Vec<u8>) {
    if let Err(unreadable) = read_whole(job.path, settings.limits, buffer) {
        send(&job.parts, FilePart::Unreadable(unreadable));
        return;
    }
    let origin = job.path.to_string_lossy();
    let object = EncodedObject {
        origin: &origin,
        bytes: buffer,
        account: None,
        wanted: settings.wanted,
    };
    let summary = decoder.decode(&object, &mut |piece| send(&job.parts, FilePart::Piece(piece)));
    send(&job.parts, FilePart::Done(summary));
}

fn send(parts: &SyncSender<FilePart>, part: FilePart) {
    // The receiver lives until the sender is dropped, unless the sink panicked: then nothing matters any more.
    let _gone = parts.send(part).is_err();
}

/// Bytes of files in memory.
struct Bytes {
    total: u64,
    used: Mutex<u64>,
    freed: Condvar,
}

struct Held<'a> {
    bytes: &'a Bytes,
    count: u64,
}

impl Bytes {
    fn new(total: u64) -> Self {
        Self {
            total: total.max(1),
            used: Mutex::new(0),
            freed: Condvar::new(),
        }
    }

    fn hold(&self, count: u64) -> Held<'_> {
        let count = count.min(self.total);
        let mut used = self.lock();
        while *used + count > self.total {
            used = self.freed.wait(used).unwrap_or_else(PoisonError::into_inner);
        }
        *used += count;
        Held { bytes: self, count }
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *self.bytes.lock() -= self.count;
        self.bytes.freed.notify_all();
    }
}

#[cfg(test)]
pub(crate) mod tests;
