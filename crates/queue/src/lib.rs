//! The queue between ingress and consumer: a [`Publisher`] on one side, a [`Subscription`] on the other.
//!
//! Promises: [`Publisher::publish`] returns `Ok` only when the message is durable; a batch that is dropped without an
//! [`Batch::ack`] is delivered again. Engines: [`embedded`] (a SQLite file), [`rabbitmq`], and [`spooled`], which puts an
//! embedded queue before another engine that may be away. Not here: what a message means.

mod batch;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod embedded;
mod message;
mod metrics;
mod publisher;
pub mod rabbitmq;
mod settings;
pub mod spooled;
mod state;
#[cfg(any(test, feature = "conformance"))]
mod testing;

pub use batch::{Batch, BatchLimits, Content, Delivery, Settle, Source, Stale, Subscription};
pub use message::Message;
pub use metrics::Metrics;
pub use publisher::{PublishEngine, PublishError, Publisher};
pub use settings::{Settings, SpoolSettings};
pub use state::QueueState;
