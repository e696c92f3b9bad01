//! The way in.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use prometheus::Histogram;
use tokio::sync::watch;

use crate::{Message, Metrics, QueueState};

/// A handle on an engine; clones share it. When the last one drops, the engine drains and ends.
#[derive(Clone)]
pub struct Publisher {
    engine: Arc<dyn PublishEngine>,
    confirm_duration: Option<Histogram>,
}

/// Why a message is not known to be durable. Each is a decision for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// No room: refuse, and let the sender come again.
    #[error("the queue is full: {0}")]
    Full(String),
    /// It cannot be reached or written: nothing was stored.
    #[error("the queue is unavailable: {0}")]
    Unavailable(String),
    /// It was refused for what it is; the same message will be refused again.
    #[error("the queue refused the message: {0}")]
    Refused(String),
    /// It may have been stored or not. Publishing the same receipt again is safe.
    #[error("the outcome of publishing is unknown: {0}")]
    OutcomeUnknown(String),
}

/// What an engine does for a [`Publisher`]. Public so that a test can play a queue that refuses, waits or forgets.
#[async_trait]
pub trait PublishEngine: Send + Sync {
    /// Returns `Ok` only when the message is durable.
    async fn publish(&self, message: Message) -> Result<(), PublishError>;

    /// What the engine says of itself.
    fn state(&self) -> watch::Receiver<QueueState>;

    /// See [`Publisher::attach_thread`]. An engine that is no faster for it has nothing to do.
    fn attach_thread(&self) {}
}

impl Publisher {
    /// A handle on `engine`.
    pub fn new(engine: Arc<dyn PublishEngine>) -> Self {
        Self { engine, confirm_duration: None }
    }

    /// This publisher, and its clones from here on, measured.
    #[must_use]
    pub fn with_metrics(self, metrics: &Metrics) -> Self {
        Self { confirm_duration: Some(metrics.confirm_duration.clone()), ..self }
    }

    /// Publishes; returns `Ok` only when the message is durable. Dropping the future half-way leaves the outcome unknown.
    pub async fn publish(&self, message: Message) -> Result<(), PublishError> {
        let began = Instant::now();
        let result = self.engine.publish(message).await;
        if let (Ok(()), Some(histogram)) = (&result, &self.confirm_duration) {
            histogram.observe(began.elapsed().as_secs_f64());
        }
        result
    }

    /// Tells the engine that this thread will publish much, and runs a runtime that nobody else uses, such as the worker of
    /// an HTTP server: what it publishes from here on may then go out from this runtime, with no other thread in between.
    /// Must be called within that runtime. When it ends, what is still under way has an unknown outcome.
    pub fn attach_thread(&self) {
        self.engine.attach_thread();
    }

    /// What the engine says of itself, as it changes.
    pub fn state(&self) -> watch::Receiver<QueueState> {
        self.engine.state()
    }
}
