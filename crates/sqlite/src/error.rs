//! What can go wrong, as decisions for the caller.

use std::path::PathBuf;

/// Why a file was not opened. Each text names the thing and says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another process writes this file.
    #[error(
        "data folder in use by another process: {} is locked; stop the other process, or give this one another folder",
        .0.display()
    )]
    Locked(PathBuf),
    /// The folder or a file in it cannot be created or written.
    #[error("cannot write in the data folder {}: {reason}; make it writable, or choose another folder", .folder.display())]
    Unwritable {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// There is no such file, and it was to be read only.
    #[error("there is no database at {}: nothing has run with this data folder yet, or it is another one", .0.display())]
    Missing(PathBuf),
    /// The file is not a SQLite database, or a damaged one.
    #[error("{} is damaged or not a SQLite database: {reason}; move it away, or restore a copy", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// A newer version of this program wrote the file.
    #[error(
        "{} has schema version {found}, this program knows versions up to {known}: run the newer program",
        .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// The file has an older schema, and this open was not to migrate it.
    #[error("{} has schema version {found}, version {known} is needed: migrate it first", .path.display())]
    NeedsMigration {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The version that this program needs.
        known: u32,
    },
    /// A migration failed; the file is as it was before it.
    #[error("{}: migration {version} ({name}) failed and was undone: {reason}", .path.display())]
    Migration {
        /// The file.
        path: PathBuf,
        /// The migration's version.
        version: u32,
        /// The migration's name.
        name: &'static str,
        /// What SQLite said.
        reason: String,
    },
    /// Anything else that SQLite or the system said.
    #[error("cannot open {}: {reason}", .path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What was said.
        reason: String,
    },
}

/// Why a write was not done. None of its changes can be seen. Only when a sync failed, and the machine then stopped before
/// the next write, may they turn up again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError<E> {
    /// The job itself said so.
    #[error(transparent)]
    Job(E),
    /// The file cannot be written just now (disk full, input or output error), or the job panicked. Others and later
    /// writes may succeed.
    #[error("the database cannot be written: {0}")]
    Unavailable(String),
    /// The database was closed, or was opened to be read only.
    #[error("the database is closed for writing")]
    Ended,
}

/// Why a query gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// SQLite or the query's own code said so.
    #[error(transparent)]
    Query(#[from] rusqlite::Error),
    /// The query panicked.
    #[error("the query panicked")]
    Panicked,
    /// The database was closed.
    #[error("the database is closed")]
    Ended,
}
