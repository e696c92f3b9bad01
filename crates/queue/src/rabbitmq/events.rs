//! The feed's way onto the topic exchange for events.

use std::sync::Arc;

use bytes::Bytes;
use events::{AppName, UtcMicros};
use lapin::types::ShortString;
use tokio::sync::watch;

use super::engine::Engine;
use super::envelope::{self, Outgoing};
use super::lane::Confirmed;
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
        let key =
            ShortString::try_new(format!("{app}.{kind}")).map_err(|error| PublishError::Refused(error.to_string()))?;
        let outgoing = Outgoing {
            exchange: EVENTS,
            routing_key: key,
            properties: envelope::properties(id, kind, UtcMicros::now())
                .with_content_type("application/cloudevents+json".into()),
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
