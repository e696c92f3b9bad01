//! The pool of read-only connections, opened as they are needed.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::{ReadError, open};

/// Queries that run at one time; more wait.
const READERS_MAX: usize = 4;

/// The pool; clones share it.
#[derive(Clone)]
pub(crate) struct Readers {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(crate) fn new(path: PathBuf) -> Self {
        let permits = Arc::new(Semaphore::new(READERS_MAX));
        Self { shared: Arc::new(Shared { path, permits, idle: Mutex::new(Vec::new()) }) }
    }

    /// Runs `query` on a thread for blocking work.
    pub(crate) async fn read<T, F>(&self, query: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let shared = self.shared.clone();
        let permit = shared.permits.clone().acquire_owned().await.map_err(|_| ReadError::Ended)?;
        let work = tokio::task::spawn_blocking(move || {
            // Held here and not by the caller, who may go away while the query runs.
            let _permit = permit;
            let connection = match shared.take() {
                Some(connection) => connection,
                None => open::reader(&shared.path)?,
            };
            let result = query(&connection);
            shared.put_back(connection);
            result.map_err(ReadError::Query)
        });
        work.await.map_err(|error| if error.is_panic() { ReadError::Panicked } else { ReadError::Ended })?
    }

    /// Lets nobody in any more and waits for those inside.
    pub(crate) async fn close(&self) {
        if let Ok(all) = self.shared.permits.acquire_many(READERS_MAX as u32).await {
            self.shared.permits.close();
            drop(all);
        }
        self.shared.idle().clear();
    }
}

impl Shared {
    fn take(&self) -> Option<Connection> {
        self.idle().pop()
    }

    /// A connection that is still inside a transaction is not worth keeping.
    fn put_back(&self, connection: Connection) {
        if connection.is_autocommit() {
            self.idle().push(connection);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
