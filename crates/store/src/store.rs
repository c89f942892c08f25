//! The store itself: one connection that writes, behind a lock, and a reader.

use std::fs::File;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use keyvigil_model::time::Timestamp;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};

use crate::commit::Commit;
use crate::error::StoreError;
use crate::failpoint;
use crate::open::{Opened, StoreOptions, check_version, open_writer, read_pool, reopen_writer};
use crate::read::Reader;
use crate::state_dir::{StateDir, file_error};
use crate::write;

/// The state directory of one daemon, open for writing. Cheap to clone; clones share one writer.
///
/// It reads, too: every method of [`Reader`] is there.
#[derive(Clone)]
pub struct Store {
    reader: Reader,
    shared: Arc<Shared>,
}

struct Shared {
    dir: StateDir,
    options: StoreOptions,
    opened: Opened,
    /// `None` after the disk failed, until the next use.
    writer: Mutex<Option<SqliteConnection>>,
    /// Locked as long as it is open.
    _lock: File,
}

/// The only connection that writes, while somebody has it.
pub(crate) struct Writer<'a> {
    slot: MutexGuard<'a, Option<SqliteConnection>>,
}

impl Deref for Store {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl Store {
    /// Opens the state directory `path`, creating it where it is missing; brings the schema up to date; moves a
    /// damaged database aside (see [`Store::opened`]). Fails if another process has the directory open.
    pub async fn open(path: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        let dir = StateDir::prepare(path)?;
        let lock = dir.lock()?;
        let (writer, opened) = open_writer(&dir, &options).await?;
        let pool = read_pool(&dir.database(), &options).await?;
        Ok(Self {
            reader: Reader::over(pool),
            shared: Arc::new(Shared {
                dir,
                options,
                opened,
                writer: Mutex::new(Some(writer)),
                _lock: lock,
            }),
        })
    }

    /// What was found at opening.
    pub fn opened(&self) -> &Opened {
        &self.shared.opened
    }

    /// Reads only, also beside a running daemon; takes no lock and changes nothing. Fails if there is no database or
    /// its schema is of another version.
    pub async fn open_read_only(path: &Path) -> Result<Reader, StoreError> {
        let database = StateDir::at(path).database();
        database.metadata().map_err(file_error("open", &database))?;
        let pool = read_pool(&database, &StoreOptions::default()).await?;
        check_version(&database, &pool).await?;
        Ok(Reader::over(pool))
    }

    /// Writes everything in the commit, in one transaction. After an error nothing of it is there.
    pub async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        if commit.is_empty() {
            return Ok(());
        }
        let mut writer = self.writer().await?;
        let result = commit_all(&mut writer, &commit).await;
        writer.keep_if_sound(result)
    }

    /// Counts a beginning of work on `item` and returns how many there were since it was last cleared, this one
    /// included. Committed when it returns: call it before the work that may kill the process.
    pub async fn begin_attempt(&self, item: &str, now: Timestamp) -> Result<u32, StoreError> {
        let mut writer = self.writer().await?;
        let result = write::attempts::begin(writer.connection(), item, now).await;
        writer.keep_if_sound(result)
    }

    /// Forgets the crash counter of `item`. [`Commit::attempts_cleared`] does it together with the work.
    pub async fn clear_attempt(&self, item: &str) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        let result = write::attempts::clear(writer.connection(), item).await;
        writer.keep_if_sound(result)
    }

    /// Closes the connections; what is committed is in the database file afterwards. Call it at the end.
    pub async fn close(self) -> Result<(), StoreError> {
        self.reader.close().await;
        let connection = self.shared.writer.lock().await.take();
        match connection {
            Some(connection) => Ok(connection.close().await?),
            None => Ok(()),
        }
    }

    /// Waits for the writing connection; opens a new one if the disk failed under the last.
    pub(crate) async fn writer(&self) -> Result<Writer<'_>, StoreError> {
        let mut slot = self.shared.writer.lock().await;
        if slot.is_none() {
            *slot = Some(reopen_writer(&self.shared.dir, &self.shared.options).await?);
        }
        Ok(Writer { slot })
    }

    pub(crate) fn dir(&self) -> &StateDir {
        &self.shared.dir
    }
}

impl Writer<'_> {
    /// The connection.
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        self.slot
            .as_mut()
            .expect("Store::writer filled the slot and only keep_if_sound empties it")
    }

    /// Gives the connection up if the error says that it cannot be trusted. A failed fsync is never retried as if
    /// the data were still in memory.
    pub(crate) fn keep_if_sound<T>(mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &result
            && error.ends_connection()
        {
            *self.slot = None;
        }
        result
    }
}

async fn commit_all(writer: &mut Writer<'_>, commit: &Commit) -> Result<(), StoreError> {
    let mut transaction = writer.connection().begin_with("BEGIN IMMEDIATE").await?;
    write::everything(&mut transaction, commit).await?;
    failpoint::hit("batch_before_commit");
    transaction.commit().await?;
    failpoint::hit("batch_after_commit");
    Ok(())
}
