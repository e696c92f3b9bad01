//! The way out: batches that are acknowledged whole or delivered again.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use events::RawWebhook;

use crate::Message;

/// How much a batch may hold and how long it may be waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchLimits {
    /// Messages.
    pub count_max: usize,
    /// Bytes, by [`Message::size_bytes`]; one message larger than this makes a batch of its own.
    pub bytes_max: usize,
    /// After the first message, so long for more.
    pub linger: Duration,
}

/// One message out of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What it is.
    pub content: Content,
    /// How often it was delivered before this time without being acknowledged.
    pub earlier_attempts: u32,
}

/// What a message turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// One of ours.
    Message(Message),
    /// A webhook that ingress wrote and acknowledged, whole, with a body larger than is read here: nobody may parse it.
    TooLarge {
        /// The webhook.
        webhook: RawWebhook,
        /// How large it is, and what allows how much.
        reason: String,
    },
    /// Something that ingress never wrote.
    Foreign {
        /// Its bytes.
        bytes: Bytes,
        /// What is wrong with it.
        reason: String,
    },
}

/// Messages that belong together: acknowledged whole, or dropped and delivered again.
pub struct Batch {
    deliveries: Vec<Delivery>,
    settle: Option<Box<dyn Settle>>,
}

/// The acknowledgement came too late: the messages were, or will be, delivered again. Harmless, since recording is
/// idempotent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the acknowledgement did not count: {0}")]
pub struct Stale(pub String);

/// What an engine does at the end of a batch. Public so that a test can script a queue; the engines live in this crate.
#[async_trait]
pub trait Settle: Send {
    /// Forgets the messages.
    async fn ack(self: Box<Self>) -> Result<(), Stale>;

    /// Makes them available again, as a failed attempt. Called from `Drop`, so it must not wait.
    fn give_back(self: Box<Self>);
}

impl Batch {
    /// For an engine: messages, and how they are settled.
    pub fn new(deliveries: Vec<Delivery>, settle: Box<dyn Settle>) -> Self {
        Self { deliveries, settle: Some(settle) }
    }

    /// The messages, in the order of the queue.
    pub fn deliveries(&self) -> &[Delivery] {
        &self.deliveries
    }

    /// Everything in it is durable elsewhere: the queue may forget it.
    pub async fn ack(mut self) -> Result<(), Stale> {
        match self.settle.take() {
            Some(settle) => settle.ack().await,
            None => Ok(()),
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if let Some(settle) = self.settle.take() {
            settle.give_back();
        }
    }
}

/// A consumer's place at the queue.
pub struct Subscription {
    source: Box<dyn Source>,
}

/// What an engine does for a [`Subscription`]; public for the same reason as [`Settle`].
#[async_trait]
pub trait Source: Send {
    /// See [`Subscription::next_batch`].
    async fn next_batch(&mut self, limits: &BatchLimits) -> Option<Batch>;
}

impl Subscription {
    /// For an engine.
    pub fn new(source: Box<dyn Source>) -> Self {
        Self { source }
    }

    /// Waits for messages; `None` when the queue has ended and nothing will come any more.
    ///
    /// Cancel safe: a future dropped half-way loses no message.
    pub async fn next_batch(&mut self, limits: &BatchLimits) -> Option<Batch> {
        self.source.next_batch(limits).await
    }
}
