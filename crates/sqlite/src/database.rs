//! The handle that everyone else holds.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::mpsc;

use crate::job::{Job, Survives, TypedJob};
use crate::lock::FolderLock;
use crate::readers::Readers;
use crate::writer::{Fate, Order, Writer};
use crate::{Migrate, Migration, OpenError, ReadError, WriteError, migration, open};

/// How a file is opened for writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The file. It and its folder are created where they do not exist; `<file>.lock` appears beside it.
    pub path: PathBuf,
    /// What the writer thread is called in a debugger.
    pub thread_name: String,
    /// Writes that may wait for the thread; more wait at the door.
    pub jobs_waiting_max: usize,
    /// Writes that one transaction carries.
    pub group_max: usize,
}

/// An open file: WAL, commits synced unless a write says that it need not be, foreign keys on. Clones share it.
///
/// When the last clone drops, the accepted writes are carried out and the thread is joined, in place: end with
/// [`Database::close`] where blocking for that long matters.
#[derive(Clone)]
pub struct Database {
    readers: Readers,
    writer: Option<Arc<WriterHandle>>,
}

/// The sender is dropped before the thread is joined, which is what ends the thread.
struct WriterHandle {
    orders: mpsc::Sender<Order>,
    thread: Joined,
}

impl Database {
    /// Opens the file for writing, as the only process to do so, and brings its schema up to date.
    pub fn open(options: Options, migrations: &[Migration], mode: Migrate) -> Result<Self, OpenError> {
        Self::open_and(options, migrations, mode, |_| Ok(())).map(|(database, ())| database)
    }

    /// Like [`Database::open`], and runs `prepare` in a transaction of its own before anyone else can write.
    pub fn open_and<T>(
        options: Options,
        migrations: &[Migration],
        mode: Migrate,
        prepare: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<(Self, T), OpenError> {
        let Options { path, thread_name, jobs_waiting_max, group_max } = options;
        let lock = FolderLock::take(&path)?;
        let mut connection = open::writer(&path)?;
        migration::migrate(&mut connection, &path, migrations, mode)?;
        let prepared = prepared(&mut connection, prepare).map_err(|error| OpenError::from_sqlite(&path, &error))?;
        let (orders, receiver) = mpsc::channel(jobs_waiting_max.max(1));
        let writer = Writer::new(connection, receiver, group_max, lock);
        let thread = std::thread::Builder::new()
            .name(thread_name)
            .spawn(move || writer.run())
            .map_err(|error| OpenError::Other { path: path.clone(), reason: error.to_string() })?;
        let writer = WriterHandle { orders, thread: Joined(Mutex::new(Some(thread))) };
        Ok((Self { readers: Readers::new(path), writer: Some(Arc::new(writer)) }, prepared))
    }

    /// Opens the file to be read only, without the lock: beside a running process, or after it.
    pub fn open_read_only(path: &Path, migrations: &[Migration]) -> Result<Self, OpenError> {
        if !path.exists() {
            return Err(OpenError::Missing(path.to_owned()));
        }
        let mut connection = open::reader(path).map_err(|error| OpenError::from_sqlite(path, &error))?;
        migration::migrate(&mut connection, path, migrations, Migrate::Check)?;
        Ok(Self { readers: Readers::new(path.to_owned()), writer: None })
    }

    /// Runs `job` inside the group's transaction, in a savepoint of its own: its error or panic undoes its changes only.
    /// Resolves after the commit was synced. Waits for room.
    ///
    /// The job runs on the writer thread and holds everyone up meanwhile: no waiting but for the database, no `BEGIN`,
    /// `COMMIT` or `ROLLBACK`, no deferred constraint left violated. Writes of one task are carried out in its order. Once
    /// accepted, a write is carried out even when its caller has gone.
    pub async fn write<T, E, F>(&self, job: F) -> Result<T, WriteError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        self.write_surviving(Survives::PowerLoss, job).await
    }

    /// Like [`Database::write`], and says what the commit has to survive before this resolves.
    pub async fn write_surviving<T, E, F>(&self, survives: Survives, job: F) -> Result<T, WriteError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let (job, answer) = TypedJob::new(job, survives);
        self.submit(Box::new(job)).await.map_err(|_| WriteError::Ended)?;
        answer.await.map_err(|_| WriteError::Ended)?
    }

    /// Hands a job of one's own to the writer thread, waiting for room only. The job comes back, not run, where the
    /// database is closed or read only; dropping the future before it is ready drops the job, not run.
    pub async fn submit(&self, job: Box<dyn Job>) -> Result<(), Box<dyn Job>> {
        let Some(writer) = &self.writer else { return Err(job) };
        let Ok(place) = writer.orders.reserve().await else { return Err(job) };
        place.send(Order::Run(job));
        Ok(())
    }

    /// Runs `query` on one of a few read-only connections, on a thread for blocking work. Sees what was committed when its
    /// first statement ran; several statements that must agree need a transaction of their own.
    pub async fn read<T, F>(&self, query: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.readers.read(query).await
    }

    /// Gives unused space back to the disk, between two groups of writes. Worth it where the file was much larger than
    /// what is in it: all of that is written once more. Returns when the thread knows of it.
    pub async fn compact(&self) {
        if let Some(writer) = &self.writer {
            // A closed database has nothing to compact.
            drop(writer.orders.send(Order::Compact).await);
        }
    }

    /// Ends it for every clone: accepted writes are carried out, queries finish, the thread is joined, the lock is free.
    pub async fn close(self) {
        self.end(Fate::Kept).await;
    }

    /// Like [`Database::close`], and removes the file before the lock is free.
    pub async fn close_and_remove(self) {
        self.end(Fate::Removed).await;
    }

    async fn end(self, fate: Fate) {
        self.readers.close().await;
        let Some(writer) = self.writer else { return };
        // An error means that another clone was faster.
        drop(writer.orders.send(Order::End(fate)).await);
        writer.orders.closed().await;
        drop(tokio::task::spawn_blocking(move || writer.thread.join()).await);
    }
}

fn prepared<T>(
    connection: &mut Connection,
    prepare: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let value = prepare(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

/// A thread that is joined when this drops, unless it is that very thread which drops it.
struct Joined(Mutex<Option<JoinHandle<()>>>);

impl Joined {
    /// Waits for the end of the thread. The lock is held meanwhile, so that every caller waits for it.
    fn join(&self) {
        let mut thread = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = thread.take_if(|handle| handle.thread().id() != std::thread::current().id()) {
            // The writer catches panics of jobs; one of its own was printed by the hook and leaves nothing to do.
            drop(handle.join());
        }
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.join();
    }
}
