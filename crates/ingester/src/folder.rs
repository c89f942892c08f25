//! A watched folder as a source: scanned every few seconds, each file read once it is stable.
//!
//! A file counts as stable when its size and modification time are the same in two scans: half-written files are left
//! alone. The ledger holds path, size and time, so a file that grew is read again; what was read before is recognised
//! by its id. Links are not followed, and a file is only ever opened by the path under which the scan found it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use keyvigil_connector::call::{BoxFuture, CallContext};
use keyvigil_connector::failure::{CallError, FailureClass};
use keyvigil_connector::object_log::{
    Decoder, FetchedObject, ListPage, ObjectRef, ObjectSource, ObjectStore,
};
use keyvigil_model::id::SourceId;
use keyvigil_model::provider::Provider;
use keyvigil_model::time::Day;

use crate::bytes::ByteBudget;
use crate::driver::{Driver, Step, wait_after};
use crate::files::expand::{Found, walk};
use crate::files::whole::{FileLimits, Unreadable, read_whole};
use crate::object::{Finished, ObjectLog, ObjectSettings, Place, Unfinished};

/// A folder that is watched.
#[derive(Clone)]
pub struct FolderSettings {
    /// The source.
    pub source: SourceId,
    /// Whose logs are in it.
    pub provider: Provider,
    /// The folder; folders in it are watched too.
    pub path: PathBuf,
    /// Between two scans.
    pub every: Duration,
    /// Bytes of objects in memory, over all sources of the process.
    pub bytes: ByteBudget,
}

/// Watches the folder until shutdown.
pub async fn run(decoder: Arc<dyn Decoder>, settings: FolderSettings, driver: Driver) {
    let store = FolderStore {
        source: ObjectSource {
            id: settings.source.clone(),
            provider: settings.provider,
            max_object_bytes: FileLimits::default().plain,
        },
    };
    let place = Place {
        origin: |object| object.key.as_ref().to_owned(),
        account: |_object| None,
    };
    let mut objects = ObjectSettings::new(settings.bytes.clone(), place);
    // The next scan tries again soon; there is no need to be patient inside one.
    objects.fetch_patience = Duration::ZERO;
    let log = ObjectLog::new(Arc::new(store), decoder, objects, driver.clone());
    let mut watcher = Watcher {
        log: Arc::clone(&log),
        folder: settings.path,
        every: settings.every.max(Duration::from_millis(100)),
        files: BTreeMap::new(),
    };
    driver.until_shutdown(Box::pin(watcher.forever())).await;
    log.forgive().await;
}

struct Watcher {
    log: Arc<ObjectLog>,
    folder: PathBuf,
    every: Duration,
    /// The files of the last scan. One that disappears is forgotten.
    files: BTreeMap<PathBuf, Seen>,
}

/// What is known of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Seen {
    stamp: Stamp,
    state: State,
}

/// Size in bytes and modification time in nanoseconds since the epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp {
    size: u64,
    modified: u128,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Seen once like this: it may still be written to.
    Fresh,
    /// The same in two scans, to be read.
    Stable,
    /// Finished, as events or in quarantine.
    Done,
}

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
        let modified = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            size: metadata.len(),
            modified: modified.as_nanos(),
        }
    }

    fn version(self) -> String {
        format!("{}-{}", self.size, self.modified)
    }
}

impl Watcher {
    async fn forever(&mut self) {
        let mut trouble = 0;
        loop {
            let found = self.scan().await;
            self.note(found);
            match self.read_stable().await {
                Ok(()) => {
                    trouble = 0;
                    tokio::time::sleep(self.every).await;
                }
                Err(_) => {
                    trouble += 1;
                    tokio::time::sleep(wait_after(FailureClass::Transient, trouble).max(self.every)).await;
                }
            }
        }
    }

    async fn scan(&self) -> Vec<Found> {
        let folder = self.folder.clone();
        let scanned = tokio::task::spawn_blocking(move || walk(&folder)).await;
        let driver = &self.log.driver;
        match scanned {
            Ok(Ok(found)) => {
                self.log.sight.seeing(driver, Step::List).await;
                found
            }
            Ok(Err(error)) => {
                let error = io_error("list", &self.folder, &error);
                self.log.sight.failed(driver, Step::List, &error).await;
                Vec::new()
            }
            Err(died) => {
                tracing::error!(%died, "a scan died");
                Vec::new()
            }
        }
    }

    fn note(&mut self, found: Vec<Found>) {
        let mut files = BTreeMap::new();
        for file in found {
            let stamp = Stamp::of(&file.metadata);
            let state = match self.files.get(&file.path) {
                Some(seen) if seen.stamp == stamp => match seen.state {
                    State::Fresh | State::Stable => State::Stable,
                    State::Done => State::Done,
                },
                Some(_) | None => State::Fresh,
            };
            files.insert(file.path, Seen { stamp, state });
        }
        self.files = files;
    }

    /// Reads what is stable, in the order of the paths. Fails where going on makes no sense at the moment.
    async fn read_stable(&mut self) -> Result<(), Unfinished> {
        for (path, seen) in &mut self.files {
            if seen.state != State::Stable {
                continue;
            }
            let object = ObjectRef {
                bucket: self.folder.to_string_lossy().into(),
                key: path.to_string_lossy().into(),
                version: Some(seen.stamp.version().into()),
                size: Some(seen.stamp.size),
            };
            match self.log.read(&object).await {
                Ok(Finished::Read | Finished::Known | Finished::Quarantined) => seen.state = State::Done,
                // It changed, vanished or cannot be read: the next scan tells.
                Err(Unfinished::Busy | Unfinished::Call(_) | Unfinished::Died) => {}
                Err(unfinished) => return Err(unfinished),
            }
        }
        Ok(())
    }
}

/// The files of a folder as objects: the key is the path.
struct FolderStore {
    source: ObjectSource,
}

impl ObjectStore for FolderStore {
    fn source(&self) -> &ObjectSource {
        &self.source
    }

    fn fetch<'a>(
        &'a self,
        _call: &'a CallContext,
        object: &'a ObjectRef,
    ) -> BoxFuture<'a, Result<FetchedObject, CallError>> {
        let path = PathBuf::from(object.key.as_ref());
        let expected = object.version.clone();
        Box::pin(async move {
            let reading = tokio::task::spawn_blocking(move || fetch_file(&path, expected.as_deref()));
            reading
                .await
                .unwrap_or_else(|died| Err(CallError::new(FailureClass::Transient, "read", died.to_string())))
        })
    }

    fn list<'a>(
        &'a self,
        _call: &'a CallContext,
        _day: Day,
        _token: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, CallError>> {
        let message = "a folder is scanned, not listed by day";
        let error = CallError::new(FailureClass::Permanent, "list", message);
        Box::pin(std::future::ready(Err(error)))
    }
}

/// Reads the file, if it is still as it was found.
fn fetch_file(path: &Path, expected: Option<&str>) -> Result<FetchedObject, CallError> {
    let mut bytes = Vec::new();
    let metadata = match read_whole(path, FileLimits::default(), &mut bytes) {
        Ok(metadata) => metadata,
        Err(Unreadable::Io(error)) => return Err(io_error("read", path, &error)),
        Err(Unreadable::TooLarge { limit }) => {
            let message = format!("larger than {limit} bytes");
            return Err(CallError::new(FailureClass::Permanent, "read", message));
        }
    };
    let version = Stamp::of(&metadata).version();
    if expected.is_some_and(|expected| expected != version) {
        let message = "it changed since it was found";
        return Err(CallError::new(FailureClass::Transient, "read", message));
    }
    Ok(FetchedObject {
        bytes,
        version: version.into(),
    })
}

fn io_error(call: &str, path: &Path, error: &std::io::Error) -> CallError {
    let class = match error.kind() {
        std::io::ErrorKind::PermissionDenied => FailureClass::Denied,
        std::io::ErrorKind::NotFound if call == "list" => FailureClass::NotFound,
        // A file that vanished between two looks was moved away: nothing is missing.
        _ => FailureClass::Transient,
    };
    CallError::new(class, call, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
