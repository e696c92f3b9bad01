//! The feed's way onto the topic exchange for events.

use std::sync::Arc;

use bytes::Bytes;
use events::{AppName, UtcMicros};
use tokio::sync::watch;

use super::engine::Engine;
use super::envelope::Outgoing;
use super::lane::Confirmed;
use super::properties::{Properties, Told};
use super::topology::EVENTS;
use crate::{PublishError, QueueState};

/// Publishes events; clones share one connection.
#[derive(Clone)]
pub struct EventPublisher {
    engine: Arc<Engine>,
}

/// Whether anyone will get an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routed {
    /// At least one queue took it.
    ToAQueue,
    /// No queue is bound for it. That is no error: nobody asked for it.
    Nowhere,
}

impl EventPublisher {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// Publishes one event under the routing key `{app}.{kind}` and waits for its confirm. `event` is `CloudEvents` JSON.
    pub async fn publish(&self, app: &AppName, kind: &str, id: &str, event: Bytes) -> Result<Routed, PublishError> {
        let told =
            Told { content_type: Some("application/cloudevents+json"), message_id: &id, kind, at: UtcMicros::now() };
        let outgoing = Outgoing {
            exchange: EVENTS,
            routing_key: format!("{app}.{kind}").into(),
            properties: Properties::new(&told),
            body: event,
        };
        Ok(match self.engine.send(outgoing).await? {
            Confirmed::Stored => Routed::ToAQueue,
            Confirmed::Unrouted => Routed::Nowhere,
        })
    }

    /// How the connection is.
    pub fn state(&self) -> watch::Receiver<QueueState> {
        self.engine.state.clone()
    }
}
