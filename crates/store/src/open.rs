//! Opening: lock, check, move a damaged database aside, migrate, connect.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Sqlite, SqliteConnection, SqlitePool};

use crate::error::StoreError;
use crate::state_dir::{StateDir, create_private, file_error};

/// The schema, oldest version first. A version that was released is never edited.
pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// How to open a store.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The database may not grow beyond this many bytes. `None`: only the disk limits it.
    pub max_bytes: Option<u64>,
    /// Connections for reading. Each is one thread.
    pub readers: u32,
    /// How long a statement waits for a lock that another process holds.
    pub busy_timeout: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            max_bytes: None,
            readers: 3,
            busy_timeout: Duration::from_secs(5),
        }
    }
}

/// What was found at opening. Tell a person about a recovery.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Opened {
    /// There was no database.
    Created,
    /// The database was sound.
    Existing,
    /// The database was damaged and is kept aside.
    Recovered(Recovery),
}

/// What was done about a damaged database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovery {
    /// Where the damaged file is now.
    pub moved_to: PathBuf,
    /// What SQLite said about it.
    pub problem: String,
    /// The backup that took its place; `None`: keyvigil started empty. Either way sources must be read again from
    /// well before the loss (48 h): what was already seen is deduplicated as far as the backup knows it.
    pub restored_from: Option<PathBuf>,
}

/// The options of every connection that writes.
pub(crate) fn write_options(database: &Path, options: &StoreOptions) -> SqliteConnectOptions {
    let mut connect = SqliteConnectOptions::new()
        .filename(database)
        .create_if_missing(true)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(options.busy_timeout)
        .foreign_keys(true)
        .pragma("journal_size_limit", "67108864")
        .pragma("wal_autocheckpoint", "1000")
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        .thread_name(|_| "store-writer".to_owned())
        .disable_statement_logging();
    if let Some(bytes) = options.max_bytes {
        connect = connect.pragma("max_page_count", (bytes / PAGE_BYTES).max(1).to_string());
    }
    connect
}

/// The page size that SQLite gives a new database.
pub(crate) const PAGE_BYTES: u64 = 4096;

/// The options of every connection that only reads.
fn read_options(database: &Path, options: &StoreOptions) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(database)
        .read_only(true)
        .busy_timeout(options.busy_timeout)
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        .thread_name(|number| format!("store-read-{number}"))
        .disable_statement_logging()
}

/// A pool that can only read. It works beside a running daemon, too.
pub(crate) async fn read_pool(database: &Path, options: &StoreOptions) -> Result<SqlitePool, StoreError> {
    PoolOptions::<Sqlite>::new()
        .max_connections(options.readers.max(1))
        .idle_timeout(Some(Duration::from_secs(60)))
        .connect_with(read_options(database, options))
        .await
        .map_err(StoreError::from)
}

/// Makes the database sound and current, and opens the connection that writes.
pub(crate) async fn open_writer(
    dir: &StateDir,
    options: &StoreOptions,
) -> Result<(SqliteConnection, Opened), StoreError> {
    let database = dir.database();
    let existed = database.metadata().is_ok_and(|found| found.len() > 0);
    let opened = if existed {
        match check(&database, options).await? {
            Health::Sound => Opened::Existing,
            Health::Damaged(problem) => Opened::Recovered(recover(dir, options, problem).await?),
        }
    } else {
        // A log without its database belongs to one that somebody removed.
        set_side_files_aside(dir, &dir.free_damaged_name())?;
        Opened::Created
    };
    dir.create_database_file()?;
    let mut connection = write_options(&database, options).connect().await?;
    migrate(&database, &mut connection).await?;
    if let Opened::Recovered(Recovery {
        restored_from: Some(_),
        ..
    }) = &opened
    {
        // What the backup calls waiting may have been delivered since.
        sqlx::query(
            "UPDATE outbox SET ambiguous = 1 WHERE state IN ('pending', 'sending', 'retry', 'unknown')",
        )
        .execute(&mut connection)
        .await?;
    }
    Ok((connection, opened))
}

/// Brings the schema up to date; refuses one that is newer than this program.
pub(crate) async fn migrate(database: &Path, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let known = newest_known();
    match MIGRATIONS.run(&mut *connection).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(found)) if found > known => Err(StoreError::NewerSchema {
            path: database.to_owned(),
            found,
            known,
        }),
        Err(source) => Err(StoreError::Migrate {
            path: database.to_owned(),
            source,
        }),
    }
}

/// Whether a database file can be trusted.
enum Health {
    Sound,
    Damaged(String),
}

/// Asks SQLite to check the file. What only keeps it from being read (permissions, a full disk) is an error.
async fn check(database: &Path, options: &StoreOptions) -> Result<Health, StoreError> {
    let answer = quick_check(database, options).await;
    match answer {
        Ok(answer) if answer == "ok" => Ok(Health::Sound),
        Ok(problem) => Ok(Health::Damaged(problem)),
        Err(StoreError::Damaged(error)) => Ok(Health::Damaged(error.to_string())),
        Err(error) => Err(error),
    }
}

async fn quick_check(database: &Path, options: &StoreOptions) -> Result<String, StoreError> {
    // A check must not change what may become evidence.
    let mut connection = read_options(database, options).connect().await?;
    let answer = sqlx::query_scalar::<_, String>("PRAGMA quick_check(1)")
        .fetch_one(&mut connection)
        .await;
    // Closing can only fail on a damaged file, which the answer tells anyway.
    let _closed = connection.close().await;
    Ok(answer?)
}

/// Keeps the damaged file aside and puts the last sound backup, or nothing, in its place.
async fn recover(dir: &StateDir, options: &StoreOptions, problem: String) -> Result<Recovery, StoreError> {
    let database = dir.database();
    let moved_to = dir.free_damaged_name();
    // The log first: SQLite would play a log that stays behind into whatever database it finds beside it.
    set_side_files_aside(dir, &moved_to)?;
    std::fs::rename(&database, &moved_to).map_err(file_error("move aside", &database))?;
    let backup = dir.backup();
    let sound = backup.exists() && matches!(check(&backup, options).await?, Health::Sound);
    if sound {
        create_private(&database)?;
        std::fs::copy(&backup, &database).map_err(file_error("restore", &backup))?;
    }
    tracing::error!(
        moved_to = %moved_to.display(),
        restored = sound,
        problem,
        "the database was damaged and is kept aside"
    );
    Ok(Recovery {
        moved_to,
        problem,
        restored_from: sound.then_some(backup),
    })
}

/// Moves the write-ahead log and its index to names that begin with `beside`.
fn set_side_files_aside(dir: &StateDir, beside: &Path) -> Result<(), StoreError> {
    for (file, suffix) in dir.side_files().iter().zip(["-wal", "-shm"]) {
        if file.exists() {
            let mut aside = beside.to_owned().into_os_string();
            aside.push(suffix);
            std::fs::rename(file, &aside).map_err(file_error("move aside", file))?;
        }
    }
    Ok(())
}

/// Opens the connection that writes again after the disk failed under it, if the file is still sound.
pub(crate) async fn reopen_writer(
    dir: &StateDir,
    options: &StoreOptions,
) -> Result<SqliteConnection, StoreError> {
    let database = dir.database();
    match check(&database, options).await? {
        Health::Sound => Ok(write_options(&database, options).connect().await?),
        Health::Damaged(problem) => Err(StoreError::corrupt("(all)", database.display(), problem)),
    }
}

/// Checks that a database that is not to be changed has the schema of this program.
pub(crate) async fn check_version(database: &Path, pool: &SqlitePool) -> Result<(), StoreError> {
    let known = newest_known();
    let found: Option<i64> = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
        .fetch_one(pool)
        .await?;
    let (path, found) = (database.to_owned(), found.unwrap_or(0));
    match found.cmp(&known) {
        Ordering::Equal => Ok(()),
        Ordering::Less => Err(StoreError::OlderSchema { path, found, known }),
        Ordering::Greater => Err(StoreError::NewerSchema { path, found, known }),
    }
}

fn newest_known() -> i64 {
    MIGRATIONS.iter().map(|step| step.version).max().unwrap_or(0)
}
