//! The queue: a file in the data folder, or RabbitMQ with a spool in the data folder before it.

use std::sync::{Arc, Mutex, PoisonError};

use events::UtcMicros;
use queue::embedded::EmbeddedQueue;
use queue::rabbitmq::{EventPublisher, RabbitMq};
use queue::spooled::Spooled;
use queue::{Metrics, Publisher, QueueState, Subscription};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::settings::{QueueEngine, Settings};

/// The folder of the spools, in the data folder.
const SPOOL_FOLDER: &str = "spool";

/// Which ends of the queue a process uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// Both.
    Both,
    /// The way in.
    In,
    /// The way in, with no spool before a broker: whoever publishes still has the message where the broker is away.
    Straight,
    /// The way out.
    Out,
    /// Neither: only what the feed publishes goes to the broker.
    Events,
}

/// The queue, open; handles share it.
#[derive(Clone)]
pub(crate) struct Queue {
    engine: Engine,
    metrics: Metrics,
}

#[derive(Clone)]
enum Engine {
    Embedded(Arc<EmbeddedQueue>),
    Broker(Arc<Broker>),
}

struct Broker {
    rabbitmq: RabbitMq,
    spooled: Option<Spooled>,
    straight: Option<Publisher>,
    /// How the connection of this process's main end is.
    state: watch::Receiver<QueueState>,
    consuming: Mutex<Option<Subscription>>,
    events: Mutex<Option<EventPublisher>>,
    ended: Mutex<Vec<JoinHandle<()>>>,
}

impl Queue {
    /// Opens it. Must be called within the main runtime.
    pub(crate) fn open(settings: &Settings, ends: Ends, metrics: Metrics) -> anyhow::Result<Self> {
        let engine = settings.queue.engine().map_err(|problem| anyhow::anyhow!("{problem}"))?;
        let engine = match engine {
            QueueEngine::Embedded => {
                let mut wanted = settings.queue.engine.clone();
                wanted.folder.clone_from(&settings.data_dir);
                Engine::Embedded(Arc::new(EmbeddedQueue::open(&wanted)?))
            }
            QueueEngine::RabbitMq(addresses) => {
                let rabbitmq = RabbitMq::new(addresses, settings.rabbitmq.clone(), "finlinkd");
                Engine::Broker(Arc::new(Broker::open(rabbitmq, settings, ends, &metrics)?))
            }
        };
        Ok(Self { engine, metrics })
    }

    /// A way in. It ends with its last handle.
    pub(crate) fn publisher(&self) -> anyhow::Result<Publisher> {
        let publisher = match &self.engine {
            Engine::Embedded(queue) => queue.publisher(),
            Engine::Broker(broker) => {
                let publisher = broker.spooled.as_ref().map(Spooled::publisher).or_else(|| broker.straight.clone());
                publisher.ok_or_else(|| anyhow::anyhow!("this process does not publish"))?
            }
        };
        Ok(publisher.with_metrics(&self.metrics))
    }

    /// A way out.
    pub(crate) fn subscribe(&self) -> Subscription {
        match &self.engine {
            Engine::Embedded(queue) => queue.subscribe(),
            Engine::Broker(broker) => {
                let first = broker.consuming.lock().unwrap_or_else(PoisonError::into_inner).take();
                first.unwrap_or_else(|| broker.rabbitmq.subscribe().0)
            }
        }
    }

    /// What the broker set aside, and how the connection for it is; an embedded queue sets nothing aside.
    pub(crate) fn dead_letters(&self) -> Option<(Subscription, watch::Receiver<QueueState>)> {
        match &self.engine {
            Engine::Embedded(_) => None,
            Engine::Broker(broker) => Some(broker.rabbitmq.dead_letters()),
        }
    }

    /// The exchange for events; there is none without a broker.
    pub(crate) fn events(&self) -> Option<EventPublisher> {
        match &self.engine {
            Engine::Embedded(_) => None,
            Engine::Broker(broker) => {
                let first = broker.events.lock().unwrap_or_else(PoisonError::into_inner).take();
                Some(first.unwrap_or_else(|| {
                    let (publisher, ended) = broker.rabbitmq.events();
                    broker.ended.lock().unwrap_or_else(PoisonError::into_inner).push(ended);
                    publisher
                }))
            }
        }
    }

    /// Shows what waits on this machine's disk. A spool shows itself.
    pub(crate) fn show(&self, now: UtcMicros) {
        match &self.engine {
            Engine::Embedded(queue) => self.metrics.show_depth(&queue.depth(), now),
            Engine::Broker(broker) if broker.spooled.is_none() => {
                self.metrics.show_broker(*broker.state.borrow() == QueueState::Ready);
            }
            Engine::Broker(_) => {}
        }
    }

    /// What it says of itself.
    pub(crate) fn state(&self) -> watch::Receiver<QueueState> {
        match &self.engine {
            Engine::Embedded(queue) => queue.state(),
            Engine::Broker(broker) => broker.state.clone(),
        }
    }

    /// Writes what was accepted and ends. Other handles, where there are any left, keep it open.
    pub(crate) async fn close(self) {
        match self.engine {
            Engine::Embedded(queue) => {
                if let Some(queue) = Arc::into_inner(queue) {
                    queue.close().await;
                }
            }
            Engine::Broker(broker) => {
                if let Some(broker) = Arc::into_inner(broker) {
                    broker.close().await;
                }
            }
        }
    }
}

impl Broker {
    fn open(rabbitmq: RabbitMq, settings: &Settings, ends: Ends, metrics: &Metrics) -> anyhow::Result<Self> {
        let mut ended = Vec::new();
        let mut spooled = None;
        if matches!(ends, Ends::Both | Ends::In) {
            let (primary, end) = rabbitmq.publisher();
            ended.push(end);
            let spool = queue::SpoolSettings { folder: settings.data_dir.join(SPOOL_FOLDER), ..settings.spool.clone() };
            spooled = Some(Spooled::open(primary, &spool, metrics)?);
        }
        let (mut consuming, mut straight, mut events) = (None, None, None);
        let state = match (&spooled, ends) {
            (Some(spooled), _) => spooled.state(),
            (None, Ends::Straight) => {
                let (publisher, end) = rabbitmq.publisher();
                ended.push(end);
                straight.insert(publisher).state()
            }
            (None, Ends::Out) => {
                let (subscription, state) = rabbitmq.subscribe();
                consuming = Some(subscription);
                state
            }
            (None, _) => {
                let (publisher, end) = rabbitmq.events();
                ended.push(end);
                events.insert(publisher).state()
            }
        };
        let (consuming, events, ended) = (Mutex::new(consuming), Mutex::new(events), Mutex::new(ended));
        Ok(Self { rabbitmq, spooled, straight, state, consuming, events, ended })
    }

    async fn close(self) {
        if let Some(spooled) = self.spooled {
            spooled.close().await;
        }
        drop((self.straight, self.events));
        let ended = self.ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        for end in ended {
            // It ends by itself once its publishers are gone; a panic in it was logged where it happened.
            drop(end.await);
        }
    }
}
