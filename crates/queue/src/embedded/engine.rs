//! The open file and what may be done with it, for publishers, subscriptions and the spool.

use std::sync::Arc;
use std::time::Duration;

use sqlite::rusqlite::{self, Connection};
use sqlite::{Database, Migrate, OpenError, Options, Survives, WriteError};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, timeout_at};

use super::Depth;
use super::books::{Range, Shared};
use super::health;
use super::insert::Insert;
use super::read::{self, ReadLimits, StoredMessage};
use super::removal::{Removal, Rows};
use super::schema;
use crate::{Message, PublishError, QueueState, Settings};

/// Publishes that one commit carries.
const GROUP_MAX: usize = 512;

/// A queue's file, open. The last to drop it waits for the writer thread.
pub(crate) struct Engine {
    pub(super) database: Database,
    pub(crate) shared: Arc<Shared>,
    publish_timeout: Duration,
    /// Held by a subscription while it takes a batch.
    pub(super) claiming: Mutex<()>,
}

impl Engine {
    pub(crate) fn open(settings: &Settings) -> Result<Arc<Self>, OpenError> {
        let options = Options {
            path: settings.folder.join(schema::FILE_NAME),
            thread_name: "queue-writer".to_owned(),
            jobs_waiting_max: settings.publishes_in_flight_max,
            group_max: GROUP_MAX,
        };
        let (database, contents) = Database::open_and(options, schema::MIGRATIONS, Migrate::Auto, schema::take_stock)?;
        let engine = Arc::new(Self {
            database,
            shared: Arc::new(Shared::new(contents, settings.bytes_max)),
            publish_timeout: settings.publish_timeout,
            claiming: Mutex::new(()),
        });
        tokio::spawn(health::probe(Arc::downgrade(&engine), engine.state()));
        Ok(engine)
    }

    pub(crate) fn depth(&self) -> Depth {
        self.shared.depth()
    }

    pub(crate) fn state(&self) -> watch::Receiver<QueueState> {
        self.shared.health.state()
    }

    /// Makes the message durable; gives its id.
    pub(crate) async fn insert(&self, message: &Message) -> Result<i64, PublishError> {
        let (job, answer) = Insert::new(&self.shared, message)?;
        let deadline = Instant::now() + self.publish_timeout;
        match timeout_at(deadline, self.database.submit(Box::new(job))).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(PublishError::Unavailable("it is closed".to_owned())),
            Err(_) => return Err(PublishError::Unavailable("too many publishes wait for the disk".to_owned())),
        }
        match timeout_at(deadline, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(PublishError::OutcomeUnknown("the writer ended".to_owned())),
            Err(_) => Err(PublishError::OutcomeUnknown(format!("the disk took over {:?}", self.publish_timeout))),
        }
    }

    /// The first rows of the range, as many as the limits allow.
    pub(super) async fn rows(&self, range: Range, limits: ReadLimits) -> Result<Vec<StoredMessage>, sqlite::ReadError> {
        self.database.read(move |connection| read::rows(connection, range, limits)).await
    }

    /// The first rows with a greater id than `id`.
    pub(crate) async fn after(&self, id: i64, limits: ReadLimits) -> Result<Vec<StoredMessage>, sqlite::ReadError> {
        self.rows(Range { first: id.saturating_add(1), last: i64::MAX }, limits).await
    }

    /// Runs a write of the engine's own and notes whether writing works.
    pub(crate) async fn write<T, F>(&self, job: F) -> Result<T, WriteError<rusqlite::Error>>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.write_surviving(Survives::PowerLoss, job).await
    }

    /// The same, told once it survives what it has to.
    pub(super) async fn write_surviving<T, F>(
        &self,
        survives: Survives,
        job: F,
    ) -> Result<T, WriteError<rusqlite::Error>>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let result = self.database.write_surviving(survives, job).await;
        match &result {
            Ok(_) => self.shared.health.works(),
            Err(error) => self.shared.health.fails(&error.to_string()),
        }
        result
    }

    /// Removes rows; an error says why they are still there.
    pub(super) async fn remove(&self, rows: Rows) -> Result<(), String> {
        let (job, answer) = Removal::new(&self.shared, rows);
        if self.database.submit(Box::new(job)).await.is_err() {
            return Err("the queue is closed".to_owned());
        }
        let oversized = answer.await.unwrap_or_else(|_| Err("the writer ended".to_owned()))?;
        if oversized {
            self.database.compact().await;
        }
        Ok(())
    }

    /// Removes these rows, and does not mind those that are not there.
    pub(crate) async fn remove_ids(&self, ids: Vec<i64>) -> Result<(), String> {
        self.remove(Rows::Ids(ids)).await
    }

    pub(crate) async fn close(&self) {
        self.shared.end();
        self.database.clone().close().await;
    }

    /// Closes it and removes the file with everything in it.
    pub(crate) async fn close_and_remove(&self) {
        self.shared.end();
        self.database.clone().close_and_remove().await;
    }
}
