//! The embedded engine: one SQLite file in the data folder, `store.sqlite`.
//!
//! Promises: whatever a port's method does is one transaction on the one writer thread; it returns `Ok` after the sync.
//! Here is SQL and the mapping of rows; what hints, reads and sums mean is in the modules that every engine shares.

mod books;
mod claims;
mod columns;
mod deliveries;
mod fault;
mod feed;
mod hints;
mod inspect;
mod intake;
mod keys;
mod known;
mod lease;
mod letters;
mod migrations;
mod observe;
mod operator;
mod outbox;
mod pending;
mod purging;
mod refresh;
mod relay;
mod tally;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlite::rusqlite::{self, Connection};
use sqlite::{Database, Migrate, Options};

pub use sqlite::OpenError;

use crate::{MigrateMode, Rules, Settings, StoreError};
use fault::Fault;

/// The file in the data folder.
const FILE: &str = "store.sqlite";

/// Writes that may wait for the writer thread.
const JOBS_WAITING_MAX: usize = 256;

/// Writes that one commit carries.
const GROUP_MAX: usize = 64;

/// The store in one SQLite file. Clones share it; when the last one drops, accepted writes are carried out first.
#[derive(Clone)]
pub struct SqliteStore {
    database: Database,
    rules: Arc<Rules>,
}

impl SqliteStore {
    /// Opens the store for writing, as the only process to do so, and migrates it where the settings say so.
    pub fn open(settings: &Settings) -> Result<Self, OpenError> {
        let options = Options {
            path: file(&settings.folder),
            thread_name: "store".to_owned(),
            jobs_waiting_max: JOBS_WAITING_MAX,
            group_max: GROUP_MAX,
        };
        let mode = match settings.migrate {
            MigrateMode::Auto => Migrate::Auto,
            MigrateMode::Check => Migrate::Check,
        };
        // The folder is locked from here on: whoever held a lease before is gone.
        let free = |connection: &Connection| lease::free_all(connection).and_then(|()| relay::free_all(connection));
        let (database, ()) = Database::open_and(options, migrations::ALL, mode, free)?;
        Ok(Self { database, rules: Arc::new(settings.rules.clone()) })
    }

    /// Opens the store to be read only, beside a running pipeline or after it. Every write answers
    /// [`StoreError::Unavailable`].
    pub fn open_read_only(settings: &Settings) -> Result<Self, OpenError> {
        let database = Database::open_read_only(&file(&settings.folder), migrations::ALL)?;
        Ok(Self { database, rules: Arc::new(settings.rules.clone()) })
    }

    /// Ends it for every clone: accepted writes are carried out, the folder is free for another process.
    pub async fn close(self) {
        self.database.close().await;
    }

    /// One transaction, on disk when it resolves.
    async fn write<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        self.database.write(job).await.map_err(fault::of_write)
    }

    /// One snapshot of what is committed.
    async fn read<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let snapshot = |connection: &Connection| {
            let transaction = connection.unchecked_transaction()?;
            let answer = query(&transaction)?;
            transaction.finish()?;
            Ok(answer)
        };
        self.database.read(snapshot).await.map_err(fault::of_read)
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join(FILE)
}
