//! Which engines stand behind the ports: the only place that names concrete ones.

use std::sync::Arc;

use queue::embedded::{Depth, EmbeddedQueue};
use queue::{Publisher, QueueState, Subscription};
use store::sqlite::SqliteStore;
use store::{Feed, Inspect, Intake, Refresh};
use tokio::sync::watch;

use crate::settings::Settings;

/// The store, open for writing; handles share it.
#[derive(Clone)]
pub(crate) struct Store(SqliteStore);

impl Store {
    /// For the consumer.
    pub(crate) fn intake(&self) -> Arc<dyn Intake> {
        Arc::new(self.0.clone())
    }

    /// For the reconciler.
    pub(crate) fn refresh(&self) -> Arc<dyn Refresh> {
        Arc::new(self.0.clone())
    }

    /// For the feed.
    pub(crate) fn feed(&self) -> Arc<dyn Feed> {
        Arc::new(self.0.clone())
    }

    /// For a person.
    pub(crate) fn inspect(&self) -> Arc<dyn Inspect> {
        Arc::new(self.0.clone())
    }

    /// Writes what was accepted and ends.
    pub(crate) async fn close(self) {
        self.0.close().await;
    }
}

/// Opens the store for writing; nobody else can meanwhile.
pub(crate) fn open_store(settings: &Settings) -> anyhow::Result<Store> {
    Ok(Store(SqliteStore::open(&store_settings(settings))?))
}

/// The store for a person, beside whoever writes it.
pub(crate) fn look_into_store(settings: &Settings) -> anyhow::Result<Arc<dyn Inspect>> {
    Ok(Arc::new(SqliteStore::open_read_only(&store_settings(settings))?))
}

/// The feed for a person, beside whoever writes it.
pub(crate) fn look_into_feed(settings: &Settings) -> anyhow::Result<Arc<dyn Feed>> {
    Ok(Arc::new(SqliteStore::open_read_only(&store_settings(settings))?))
}

/// The queue, open; handles share it.
#[derive(Clone)]
pub(crate) struct Queue(Arc<EmbeddedQueue>);

impl Queue {
    /// A way in.
    pub(crate) fn publisher(&self) -> Publisher {
        self.0.publisher()
    }

    /// A way out.
    pub(crate) fn subscribe(&self) -> Subscription {
        self.0.subscribe()
    }

    /// What waits in it on this machine's disk.
    pub(crate) fn depth(&self) -> Depth {
        self.0.depth()
    }

    /// What it says of itself.
    pub(crate) fn state(&self) -> watch::Receiver<QueueState> {
        self.0.state()
    }

    /// Writes what was accepted and ends. Other handles, where there are any left, keep it open.
    pub(crate) async fn close(self) {
        if let Some(queue) = Arc::into_inner(self.0) {
            queue.close().await;
        }
    }
}

/// Opens the queue; nobody else can meanwhile.
pub(crate) fn open_queue(settings: &Settings) -> anyhow::Result<Queue> {
    let mut wanted = settings.queue.engine.clone();
    wanted.folder.clone_from(&settings.data_dir);
    Ok(Queue(Arc::new(EmbeddedQueue::open(&wanted)?)))
}

fn store_settings(settings: &Settings) -> store::Settings {
    let rules = store::Rules { schedule: settings.schedule.clone(), ..settings.rules.clone() };
    store::Settings { folder: settings.data_dir.clone(), migrate: settings.store.migrate, rules }
}
