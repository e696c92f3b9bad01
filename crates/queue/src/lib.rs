//! The queue between ingress and consumer: a [`Publisher`] on one side, a [`Subscription`] on the other.
//!
//! Promises: [`Publisher::publish`] returns `Ok` only when the message is durable; a batch that is dropped without an
//! [`Batch::ack`] is delivered again. Engines: [`embedded`] (a SQLite file). Not here: what a message means.

#![allow(dead_code, reason = "the spool, which uses the rest, follows")]

mod batch;
pub mod embedded;
mod message;
mod metrics;
mod publisher;
pub mod rabbitmq;
mod settings;
mod state;
#[cfg(test)]
mod testing;

pub use batch::{Batch, BatchLimits, Content, Delivery, Settle, Source, Stale, Subscription};
pub use message::Message;
pub use metrics::Metrics;
pub use publisher::{PublishEngine, PublishError, Publisher};
pub use settings::Settings;
pub use state::QueueState;
