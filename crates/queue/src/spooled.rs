//! A publisher that has somewhere to go when its broker is away: another engine first, an embedded queue on the local disk
//! second, drained by itself.
//!
//! Start at [`Spooled`]. Promises: a publish that returned `Ok` is durable at the one or in the other; it waits for a silent
//! broker once, not once per message; what was spooled goes to the broker in its order and is forgotten after its
//! confirmation. A message may reach the broker twice (a crash between confirmation and removal), which the receipt tells.
//! Not here: what the broker is (any [`Publisher`] will do), and order between spooled messages and later ones.

mod adopt;
mod backoff;
mod disk;
mod drain;
mod folder;
mod late;
mod publish;
mod supervise;
#[cfg(test)]
mod tests;
mod trust;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::embedded::{Depth, Engine, OpenError};
use crate::metrics::SpoolMetrics;
use crate::publisher::PublishEngine;
use crate::{Message, Metrics, PublishError, Publisher, QueueState, SpoolSettings};

use late::Late;
use trust::Trust;

/// An open spool before a broker. It ends with [`Spooled::close`], or when this and every publisher has dropped; what is
/// spooled then stays on the disk for the next to open it.
pub struct Spooled {
    shared: Arc<Held>,
    tasks: TaskTracker,
}

/// What publishers and background tasks share.
pub(crate) struct Core {
    primary: Publisher,
    primary_state: watch::Receiver<QueueState>,
    spool: Arc<Engine>,
    folder: PathBuf,
    /// The spool of an ended instance that is being drained.
    adopted: Mutex<Option<Arc<Engine>>>,
    settings: SpoolSettings,
    trust: Trust,
    late: Late,
    state: watch::Sender<QueueState>,
    metrics: SpoolMetrics,
    stop: CancellationToken,
}

/// What keeps the background tasks alive.
struct Held {
    core: Arc<Core>,
    _stop: DropGuard,
}

impl Spooled {
    /// Opens a free spool in the settings' folder, one left by an instance that ended before a new one, and starts to drain
    /// it. Works whatever the state of `primary`. Call it within a tokio runtime.
    pub fn open(primary: Publisher, settings: &SpoolSettings, metrics: &Metrics) -> Result<Self, OpenError> {
        let (folder, spool) = folder::open_own(settings)?;
        let stop = CancellationToken::new();
        let core = Arc::new(Core {
            primary_state: primary.state(),
            primary,
            spool,
            folder,
            adopted: Mutex::new(None),
            settings: settings.clone(),
            trust: Trust::new(),
            late: Late::new(),
            state: watch::Sender::new(QueueState::Starting),
            metrics: metrics.spool.clone(),
            stop: stop.clone(),
        });
        core.judge();
        let tasks = TaskTracker::new();
        tasks.spawn(supervise::run(core.clone()));
        tasks.spawn(drain::run(core.clone()));
        tasks.spawn(adopt::run(core.clone()));
        tasks.close();
        Ok(Self { shared: Arc::new(Held { core, _stop: stop.drop_guard() }), tasks })
    }

    /// A way in.
    pub fn publisher(&self) -> Publisher {
        Publisher::new(Arc::new(SpooledPublisher { held: self.shared.clone() }))
    }

    /// What waits in this instance's spool, and in one that it drains for an instance that ended.
    pub fn depth(&self) -> Depth {
        self.shared.core.depth()
    }

    /// What it says of itself: `Ready` while messages go to the broker, `Degraded` while they go to the spool, `Down` when
    /// neither works.
    pub fn state(&self) -> watch::Receiver<QueueState> {
        self.shared.core.state.subscribe()
    }

    /// Ends it for everyone: what is on its way to the broker is given up or finished, the spool is closed and free.
    pub async fn close(self) {
        self.shared.core.stop.cancel();
        self.tasks.wait().await;
        self.shared.core.spool.close().await;
        self.shared.core.state.send_replace(QueueState::Down("closed".to_owned()));
    }
}

struct SpooledPublisher {
    held: Arc<Held>,
}

#[async_trait]
impl PublishEngine for SpooledPublisher {
    async fn publish(&self, message: Message) -> Result<(), PublishError> {
        publish::publish(&self.held.core, message).await
    }

    fn attach_thread(&self) {
        self.held.core.primary.attach_thread();
    }

    fn state(&self) -> watch::Receiver<QueueState> {
        self.held.core.state.subscribe()
    }
}
