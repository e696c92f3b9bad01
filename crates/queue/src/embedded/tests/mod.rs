//! Facts about the embedded queue, by what they are about.

pub(crate) mod child;
mod conformance;
mod consuming;
mod crashes;
mod publishing;
mod rows;

use std::path::PathBuf;

use sqlite::rusqlite::Connection;

use super::{EmbeddedQueue, Engine};
use crate::{Settings, testing};

/// A folder for a queue.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn settings(&self) -> Settings {
        Settings { folder: self.path(), ..Settings::default() }
    }

    fn open(&self) -> EmbeddedQueue {
        EmbeddedQueue::open(&self.settings()).expect("it opens")
    }

    fn open_with_room_for(&self, messages: u64) -> EmbeddedQueue {
        let bytes_max = messages * testing::webhook(1).size_bytes() as u64;
        EmbeddedQueue::open(&Settings { bytes_max, ..self.settings() }).expect("it opens")
    }

    /// Rows in the file, by a connection of its own.
    fn rows(&self) -> u64 {
        let connection = Connection::open(self.path().join("queue.db")).expect("it opens");
        connection.query_row("SELECT count(*) FROM messages", [], |row| row.get::<_, i64>(0)).expect("counted") as u64
    }
}

async fn publish(queue: &EmbeddedQueue, numbers: impl IntoIterator<Item = u64>) {
    let publisher = queue.publisher();
    for n in numbers {
        publisher.publish(testing::webhook(n)).await.expect("it is kept");
    }
}

/// Takes and acknowledges until `count` messages came; their numbers and earlier attempts.
async fn take_all(queue: &EmbeddedQueue, count: usize) -> Vec<(u64, u32)> {
    let mut subscription = queue.subscribe();
    let mut taken = Vec::new();
    while taken.len() < count {
        let batch = subscription.next_batch(&testing::limits(100)).await.expect("the queue is open");
        taken.extend(testing::numbers(&batch));
        batch.ack().await.expect("acknowledged");
    }
    taken
}

/// Holds the writer up until it is dropped, so that what is sent meanwhile waits.
struct HeldUp {
    _release: std::sync::mpsc::SyncSender<()>,
}

impl HeldUp {
    async fn new(queue: &EmbeddedQueue) -> Self {
        let (release, wait) = std::sync::mpsc::sync_channel::<()>(1);
        let (running, started) = tokio::sync::oneshot::channel();
        let database = queue.engine.database.clone();
        tokio::spawn(async move {
            let hold = move |_: &Connection| -> Result<(), std::convert::Infallible> {
                running.send(()).ok();
                wait.recv().ok();
                Ok(())
            };
            database.write(hold).await
        });
        started.await.expect("the job runs");
        Self { _release: release }
    }
}

/// As if the disk ended so many pages after what is used; `None` lifts it.
async fn limit_disk(engine: &Engine, pages_left: Option<i64>) {
    let limit = move |connection: &Connection| {
        let used: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
        let free: i64 = connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        let limit = pages_left.map_or(i64::from(u32::MAX - 1), |left| used - free + left);
        connection.pragma_update_and_check(None, "max_page_count", limit, |_| Ok(()))
    };
    engine.write(limit).await.expect("the limit is set");
}
