//! One writing process per file: an advisory lock on `<file>.lock`, held as long as the writer thread lives.
//!
//! The system gives it back when the process ends, however it ends, so there is no stale lock to clean up.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::OpenError;

/// The lock; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the lock of the database at `path`, creating its folder where needed.
    pub(crate) fn take(path: &Path) -> Result<Self, OpenError> {
        let folder = folder_of(path);
        let unwritable =
            |error: std::io::Error| OpenError::Unwritable { folder: folder.clone(), reason: error.to_string() };
        std::fs::create_dir_all(&folder).map_err(unwritable)?;
        let lock = lock_path(path);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&lock).map_err(unwritable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked(lock)),
            Err(TryLockError::Error(error)) => Err(OpenError::Other { path: lock, reason: error.to_string() }),
        }
    }
}

/// The folder that `path` lies in.
pub(crate) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}
