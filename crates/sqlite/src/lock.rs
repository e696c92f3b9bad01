//! One writing process per file: an advisory lock on `<file>.lock`, held as long as the writer thread lives.
//!
//! The system gives it back when the process ends, however it ends, so there is no stale lock to clean up.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::OpenError;

/// The lock; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct FolderLock {
    database: PathBuf,
    _file: File,
}

impl FolderLock {
    /// Takes the lock of the database at `path`, creating its folder where needed: one that nobody else may look into.
    pub(crate) fn take(path: &Path) -> Result<Self, OpenError> {
        let folder = folder_of(path);
        let unwritable =
            |error: std::io::Error| OpenError::Unwritable { folder: folder.clone(), reason: error.to_string() };
        private_folders().create(&folder).map_err(unwritable)?;
        let lock = beside(path, ".lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&lock).map_err(unwritable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { database: path.to_owned(), _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked(lock)),
            Err(TryLockError::Error(error)) => Err(OpenError::Other { path: lock, reason: error.to_string() }),
        }
    }

    /// Removes the database that this is the lock of, once it is closed. The lock's own file stays: another process may
    /// be about to lock it.
    pub(crate) fn remove_database(&self) {
        for suffix in ["", "-wal", "-shm"] {
            let file = beside(&self.database, suffix);
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    warn!(%error, file = %file.display(), "a file could not be removed");
                }
                _ => {}
            }
        }
    }
}

/// Makes a folder and those above it; one that is there stays as it is.
fn private_folders() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// The folder that `path` lies in.
pub(crate) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
