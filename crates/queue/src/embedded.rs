//! The embedded engine: one SQLite file, one writer thread with group commit.
//!
//! Start at [`EmbeddedQueue`]. Promises: a publish returns after its row was synced; what is not acknowledged comes back,
//! also after SIGKILL, and its attempts are counted; after a loss of power what was acknowledged last may come back too; memory
//! does not grow with what waits. How: rows are numbered in the order of their commits, so a batch is a range of numbers, and all
//! that is kept of it is a row in `claims`, written before the batch is handed out and removed with the acknowledgement. Not here:
//! several processes at one file.

mod books;
mod claim;
mod codec;
mod engine;
mod failpoint;
mod health;
mod insert;
mod read;
mod removal;
mod schema;
mod subscription;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use events::UtcMicros;
use tokio::sync::watch;

pub use sqlite::OpenError;

pub(crate) use engine::Engine;
pub(crate) use read::{ReadLimits, StoredMessage};
pub(crate) use schema::FILE_NAME;

use crate::publisher::PublishEngine;
use crate::{Message, PublishError, Publisher, QueueState, Settings, Subscription};

/// What is in a queue: waiting, or out with a consumer and not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Messages.
    pub messages: u64,
    /// Bytes, by [`Message::size_bytes`].
    pub bytes: u64,
    /// When the oldest was received.
    pub oldest_at: Option<UtcMicros>,
}

/// An open queue. It ends with [`EmbeddedQueue::close`], or when this, every publisher, subscription and batch has dropped.
pub struct EmbeddedQueue {
    engine: Arc<Engine>,
}

impl EmbeddedQueue {
    /// Opens or creates `queue.db` in the settings' folder, as the only process to do so. Reads through what waits once,
    /// to count it. Call it within a tokio runtime.
    pub fn open(settings: &Settings) -> Result<Self, OpenError> {
        Ok(Self { engine: Engine::open(settings)? })
    }

    /// A way in.
    pub fn publisher(&self) -> Publisher {
        Publisher::new(Arc::new(EmbeddedPublisher { engine: self.engine.clone() }))
    }

    /// A way out. Several share the messages: each goes to one of them.
    pub fn subscribe(&self) -> Subscription {
        Subscription::new(Box::new(subscription::EmbeddedSource::new(self.engine.clone())))
    }

    /// What is in it. Costs a lock, no input or output.
    pub fn depth(&self) -> Depth {
        self.engine.depth()
    }

    /// What it says of itself.
    pub fn state(&self) -> watch::Receiver<QueueState> {
        self.engine.state()
    }

    /// Ends it for everyone: accepted publishes are carried out, waiting subscriptions get `None`, later
    /// acknowledgements are stale, the thread is joined and the file is free.
    pub async fn close(self) {
        self.engine.close().await;
    }
}

struct EmbeddedPublisher {
    engine: Arc<Engine>,
}

#[async_trait]
impl PublishEngine for EmbeddedPublisher {
    async fn publish(&self, message: Message) -> Result<(), PublishError> {
        self.engine.insert(&message).await.map(drop)
    }

    fn state(&self) -> watch::Receiver<QueueState> {
        self.engine.state()
    }
}
