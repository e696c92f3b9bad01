//! How connections are opened: flags, pragmas, and what SQLite's error codes mean to a person.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::OpenError;
use crate::lock::folder_of;

/// Only other processes' inspections and SQLite's own recovery can be in the way, and those are short.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Prepared statements kept per connection; above what any of our writers uses.
const STATEMENTS_CACHED_MAX: usize = 128;

/// The connection of the writer thread, creating the file where needed.
pub(crate) fn writer(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
        .and_then(|connection| {
            set_common(&connection)?;
            connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
            connection.pragma_update(None, "synchronous", "full")?;
            Ok(connection)
        })
        .map_err(|error| OpenError::from_sqlite(path, &error))
}

/// A connection that sees what is committed and cannot write.
pub(crate) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    set_common(&connection)?;
    Ok(connection)
}

fn set_common(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED_MAX);
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // With mmap, an input or output error would be a signal that kills the process.
    connection.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(()))?;
    // Savepoints would otherwise write the pages that they touch to a file of their own.
    connection.pragma_update(None, "temp_store", "memory")
}

impl OpenError {
    /// Reads a person's explanation out of SQLite's error.
    pub(crate) fn from_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        let reason = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Corrupt { path, reason },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::DiskFull) => {
                Self::Unwritable { folder: folder_of(&path), reason }
            }
            _ => Self::Other { path, reason },
        }
    }
}
