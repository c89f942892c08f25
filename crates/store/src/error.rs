//! What can go wrong in the store, in the classes that change what the caller does next.

use std::path::PathBuf;

/// The store could not do what was asked. A transaction that failed left nothing behind.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the state directory.
    #[error("state directory {path} is in use by {holder}", path = path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// `process 123`, as the holder wrote it.
        holder: String,
    },
    /// The database was written by a newer keyvigil.
    #[error(
        "database {path} has schema version {found} but this keyvigil knows only up to {known}: \
         run the newer version again or restore a backup",
        path = path.display()
    )]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// The version in the file.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The database was written by an older keyvigil and may only be read here.
    #[error(
        "database {path} has schema version {found}, older than {known}: start the daemon once to bring it up to date",
        path = path.display()
    )]
    OlderSchema {
        /// The database.
        path: PathBuf,
        /// The version in the file.
        found: i64,
        /// The version that this program reads.
        known: i64,
    },
    /// A file or directory of the state could not be used.
    #[error("cannot {doing} {path}", path = path.display())]
    File {
        /// What was tried: `create`, `open`, `lock`.
        doing: &'static str,
        /// The path.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The schema could not be brought up to date.
    #[error("cannot migrate the database {path}", path = path.display())]
    Migrate {
        /// The database.
        path: PathBuf,
        /// Why not.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// The disk or the configured size of the database is full. Stop taking work in; what is committed is intact.
    #[error("the disk or the configured size limit of the database is full")]
    Full(#[source] sqlx::Error),
    /// The disk failed. The connection is given up; the next call opens a new one.
    #[error("the disk failed under the database")]
    Disk(#[source] sqlx::Error),
    /// The database file itself is damaged: restart, which moves it aside and reports it.
    #[error("the database file is damaged")]
    Damaged(#[source] sqlx::Error),
    /// A row holds a value that no version of keyvigil writes.
    #[error("table {table}, row {row}: {problem}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// What identifies the row.
        row: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Anything else that SQLite refused.
    #[error("the database refused a statement")]
    Database(#[source] sqlx::Error),
}

/// Primary result codes of SQLite (<https://sqlite.org/rescode.html>).
const SQLITE_IOERR: i32 = 10;
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_NOTADB: i32 = 26;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match primary_code(&error) {
            Some(SQLITE_FULL) => Self::Full(error),
            Some(SQLITE_IOERR) => Self::Disk(error),
            Some(SQLITE_CORRUPT | SQLITE_NOTADB) => Self::Damaged(error),
            Some(_) | None => Self::Database(error),
        }
    }
}

/// The primary code: the low byte of the extended code that the driver reports.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

impl StoreError {
    /// A row that cannot be read.
    pub(crate) fn corrupt(
        table: &'static str,
        row: impl std::fmt::Display,
        problem: impl std::fmt::Display,
    ) -> Self {
        Self::Corrupt {
            table,
            row: row.to_string(),
            problem: problem.to_string(),
        }
    }

    /// Whether the connection that gave this error must not be used again.
    pub(crate) fn ends_connection(&self) -> bool {
        match self {
            Self::Disk(_) | Self::Damaged(_) => true,
            Self::Locked { .. }
            | Self::NewerSchema { .. }
            | Self::OlderSchema { .. }
            | Self::File { .. }
            | Self::Migrate { .. }
            | Self::Full(_)
            | Self::Corrupt { .. }
            | Self::Database(_) => false,
        }
    }
}
