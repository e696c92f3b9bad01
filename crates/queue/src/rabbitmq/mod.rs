//! The RabbitMQ engine: quorum queues, publisher confirms, manual acknowledgements. The only code that knows lapin, which
//! consumes and declares; what publishes is in `wire`.
//!
//! Promises: `Ok` from a publisher means that the broker confirmed this very message; a returned or refused message fails
//! exactly its own caller; a batch is acknowledged only whole. It connects again by itself, for ever, and starts without a
//! broker. Publishing and consuming have connections of their own, since a broker that blocks publishers blocks the
//! connection. Not here: what to do while the broker is away (`spooled`).

mod address;
mod body_limit;
mod engine;
mod envelope;
mod events;
mod held;
mod in_flight;
mod lane;
mod link;
mod properties;
mod reports;
mod screen;
mod settings;
mod settle;
mod source;
mod topology;
mod wire;

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use address::Addresses;
pub use events::{EventPublisher, Routed};
pub use settings::Settings;
pub use topology::{DEAD_LETTERS, DELIVERY_LIMIT, EVENTS, WEBHOOKS};

use crate::{Publisher, QueueState, Subscription};
use engine::Engine;
use link::Dialer;
use source::AmqpSource;
use topology::Need;

/// A broker, and who we are to it. Connects to nothing by itself.
#[derive(Debug, Clone)]
pub struct RabbitMq {
    addresses: Addresses,
    settings: Settings,
    name: String,
}

impl RabbitMq {
    /// `name` is shown in the broker's list of connections, with the purpose of each appended.
    pub fn new(addresses: Addresses, settings: Settings, name: &str) -> Self {
        Self { addresses, settings, name: name.to_owned() }
    }

    /// Publishes webhooks and checkpoints. The handle ends once every publisher was dropped and what was in flight is
    /// settled. Must be called on the runtime that is to hold the connection, which outlives the publishers.
    pub fn publisher(&self) -> (Publisher, JoinHandle<()>) {
        let (engine, ended) = Engine::start(self.dialer(Need::Webhooks, "publish"));
        (Publisher::new(Arc::new(engine)), ended)
    }

    /// Consumes webhooks and checkpoints; the watch tells how the connection is.
    pub fn subscribe(&self) -> (Subscription, watch::Receiver<QueueState>) {
        self.consume(WEBHOOKS, self.settings.webhooks_ahead(), "consume")
    }

    /// Consumes what the broker set aside: rejected, or delivered more than [`DELIVERY_LIMIT`] times. Earlier attempts say
    /// nothing here: from RabbitMQ 4.0 on a message brings a count along.
    pub fn dead_letters(&self) -> (Subscription, watch::Receiver<QueueState>) {
        self.consume(DEAD_LETTERS, self.settings.dead_letters_ahead(), "dead-letters")
    }

    /// Publishes the feed's events. The handle as for [`RabbitMq::publisher`].
    pub fn events(&self) -> (EventPublisher, JoinHandle<()>) {
        let (engine, ended) = Engine::start(self.dialer(Need::Events, "events"));
        (EventPublisher::new(Arc::new(engine)), ended)
    }

    fn consume(&self, queue: &'static str, ahead: u16, purpose: &str) -> (Subscription, watch::Receiver<QueueState>) {
        let (state, states) = watch::channel(QueueState::Starting);
        let source = AmqpSource::new(self.dialer(Need::Queues, purpose), queue, ahead, state);
        (Subscription::new(Box::new(source)), states)
    }

    fn dialer(&self, need: Need, purpose: &str) -> Dialer {
        Dialer {
            addresses: self.addresses.clone(),
            settings: self.settings.clone(),
            need,
            name: format!("{} {purpose}", self.name),
        }
    }
}
