//! The state directory: its modes, its file names, and the lock that keeps two daemons out of it.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// Only the owner may enter the directory.
const DIRECTORY_MODE: u32 = 0o700;
/// Only the owner may read the files.
const FILE_MODE: u32 = 0o600;
/// More than a process id needs.
const MAX_HOLDER_BYTES: u64 = 64;

/// The names of the files in a state directory.
#[derive(Clone, Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
}

impl StateDir {
    /// Creates the directory where it is missing and makes sure that only its owner can enter it.
    pub(crate) fn prepare(path: &Path) -> Result<Self, StoreError> {
        let failed = |doing| file_error(doing, path);
        DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(path)
            .map_err(failed("create"))?;
        let mode = path.metadata().map_err(failed("read"))?.permissions().mode();
        if mode & 0o077 != 0 {
            std::fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE))
                .map_err(failed("restrict"))?;
        }
        Ok(Self::at(path))
    }

    /// Names the files of a directory without touching it.
    pub(crate) fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// The database.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("keyvigil.db")
    }

    /// The write-ahead log and the index beside the database.
    pub(crate) fn side_files(&self) -> [PathBuf; 2] {
        [
            self.path.join("keyvigil.db-wal"),
            self.path.join("keyvigil.db-shm"),
        ]
    }

    /// The last backup.
    pub(crate) fn backup(&self) -> PathBuf {
        self.path.join("keyvigil.backup.db")
    }

    /// A backup that is being written.
    pub(crate) fn backup_in_progress(&self) -> PathBuf {
        self.path.join("keyvigil.backup.db.new")
    }

    /// A name under which a damaged database is kept: the first that is free.
    pub(crate) fn free_damaged_name(&self) -> PathBuf {
        let mut number = 1u32;
        loop {
            let candidate = self.path.join(format!("keyvigil.db.damaged-{number}"));
            if !candidate.exists() {
                return candidate;
            }
            number += 1;
        }
    }

    /// Takes the lock; the process holds it as long as the file is open, and no longer.
    pub(crate) fn lock(&self) -> Result<File, StoreError> {
        let path = self.path.join("keyvigil.lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(&path)
            .map_err(file_error("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked {
                    holder: holder(&mut file),
                    path,
                });
            }
            Err(TryLockError::Error(source)) => return Err(file_error("lock", &path)(source)),
        }
        // For whoever finds it locked; the lock itself does not depend on the content.
        file.set_len(0).map_err(file_error("write", &path))?;
        writeln!(file, "{}", std::process::id()).map_err(file_error("write", &path))?;
        Ok(file)
    }

    /// Creates the database file, so that its mode is right from the first byte. SQLite gives its mode to the
    /// files beside it.
    pub(crate) fn create_database_file(&self) -> Result<(), StoreError> {
        create_private(&self.database())
    }
}

/// Creates an empty file that only its owner can read, or restricts the one that is there.
pub(crate) fn create_private(path: &Path) -> Result<(), StoreError> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(path)
        .map_err(file_error("create", path))?;
    file.set_permissions(Permissions::from_mode(FILE_MODE))
        .map_err(file_error("restrict", path))
}

/// Who holds the lock, as far as the lock file says it.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(MAX_HOLDER_BYTES).read_to_string(&mut text);
    match (read, text.trim().parse::<u32>()) {
        (Ok(_), Ok(id)) => format!("process {id}"),
        (Ok(_) | Err(_), _) => "another process".to_owned(),
    }
}

/// Makes the error of a file operation.
pub(crate) fn file_error(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::File { doing, path, source }
}
