//! A process: what every role has (metrics, health, the order of stopping), and which parts each role starts.
//!
//! Promises: all listeners are bound before anything starts, so a taken port is one clear line; stopping goes from the
//! sources to the sinks (ingress, consumer, reconciler, feed, admin), within a deadline.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use reconciler::KeyBoard;
use store::{Feed, Inspect};
use tokio_util::sync::CancellationToken;

use super::health;
use super::listeners::Listeners;
use super::misfit;
use super::stages::{self, Stage};
use super::{consumer, feed, ingress, keys, reconciler as reconciling};
use crate::admin::Readiness;
use crate::exit::Failure;
use crate::settings::{Role, Settings};
use crate::wiring::{self, Ends, Queue, Store};
use crate::{gauges, signals};

/// How long each engine may take to close once the parts have ended.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);

/// What every part is started with.
pub(crate) struct Base {
    /// The settings, checked.
    pub(crate) settings: Settings,
    /// Where metrics are registered.
    pub(crate) registry: Registry,
}

/// A running process.
pub struct Running {
    /// Where it listens; the real ports where 0 was asked for.
    pub addresses: Addresses,
    base: Base,
    stop: CancellationToken,
    stages: Vec<Stage>,
    queue: Option<Queue>,
    store: Option<Store>,
}

/// Where a process listens; `None` where its role does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Webhooks.
    pub listen: Option<SocketAddr>,
    /// The user's API.
    pub api: Option<SocketAddr>,
    /// Metrics and health.
    pub admin: SocketAddr,
    /// Keys.
    pub internal: Option<SocketAddr>,
}

/// Runs a role until a signal.
pub(crate) async fn run(role: Role, settings: Settings) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    signals::watch(stop.clone())?;
    run_with(role, settings, stop).await
}

/// Runs a role until `stop`, or until a part of it ends by itself.
pub async fn run_with(role: Role, settings: Settings, stop: CancellationToken) -> Result<(), Failure> {
    if !misfit::wait(role, &settings, &stop).await? {
        return Ok(());
    }
    let running = start(role, settings, stop).await?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "finlinkd runs; stop it with SIGTERM or Ctrl-C");
    running.ended().await
}

/// Binds, opens and starts everything.
pub async fn start(role: Role, settings: Settings, stop: CancellationToken) -> Result<Running, Failure> {
    let listeners = Listeners::bind(role, &settings)?;
    let addresses = listeners.addresses();
    let base = Base { settings, registry: health::registry().map_err(anyhow::Error::from)? };
    let queue = match ends(role) {
        Some(ends) => {
            let metrics = queue::Metrics::register(&base.registry).map_err(anyhow::Error::from)?;
            Some(Queue::open(&base.settings, ends, metrics)?)
        }
        None => None,
    };
    let store = if role == Role::Ingress { None } else { Some(wiring::open_store(&base.settings)?) };
    if let Some(store) = &store {
        // To look may be to migrate, which takes its time. What is started after a stop stops at once.
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            fits = store.fits() => fits?,
        }
    }
    let stages =
        Parts { role, base: &base, queue: queue.as_ref(), store: store.as_ref() }.start(listeners, &stop).await?;
    Ok(Running { addresses, base, stop, stages, queue, store })
}

/// Which ends of the queue a role uses.
fn ends(role: Role) -> Option<Ends> {
    match role {
        Role::Run => Some(Ends::Both),
        Role::Ingress => Some(Ends::In),
        Role::Consumer => Some(Ends::Out),
        Role::Feed => Some(Ends::Events),
        Role::Reconciler | Role::Command => None,
    }
}

impl Running {
    /// Looks into its store; an error where its role has none. To be dropped before the data folder is used by another.
    pub fn inspect(&self) -> anyhow::Result<Arc<dyn Inspect>> {
        self.store.as_ref().map(Store::inspect).ok_or_else(|| anyhow::anyhow!("this role has no store"))
    }

    /// Its feed; the same holds.
    pub fn feed(&self) -> anyhow::Result<Arc<dyn Feed>> {
        self.store.as_ref().map(Store::feed).ok_or_else(|| anyhow::anyhow!("this role has no store"))
    }

    /// Waits for the end and cleans up: the data folder is free when this returns, unless a warning says what was left open.
    pub async fn ended(self) -> Result<(), Failure> {
        let Self { base, stop, stages, queue, store, .. } = self;
        let ended = stages::run(stages, &stop, base.settings.shutdown_deadline).await;
        if let Some(queue) = queue {
            closed("queue", queue.close()).await;
        }
        if let Some(store) = store {
            closed("store", store.close()).await;
        }
        tracing::info!("stopped");
        ended.map_err(|unclean| Failure::Runtime(unclean.into()))
    }
}

/// Waits for the end of an engine, but not for ever: a part that did not end in time may still hold it. The process ends
/// then as one that is killed does, which loses nothing that was acknowledged.
async fn closed(name: &'static str, close: impl Future<Output = ()>) {
    if tokio::time::timeout(CLOSE_WITHIN, close).await.is_err() {
        tracing::warn!("the {name} was not closed within {CLOSE_WITHIN:?}; ending without");
    }
}

/// What is started, and on what.
struct Parts<'a> {
    role: Role,
    base: &'a Base,
    queue: Option<&'a Queue>,
    store: Option<&'a Store>,
}

impl Parts<'_> {
    /// Starts the parts of the role, in the order in which they stop.
    async fn start(self, listeners: Listeners, stop: &CancellationToken) -> anyhow::Result<Vec<Stage>> {
        let Self { role, base, queue, store } = self;
        let [consuming, reconciling_stop, feeding, administering] = std::array::from_fn(|_| CancellationToken::new());
        let mut stages = Vec::new();
        let mut readiness = Readiness::default();
        let (board, mut snapshot) = KeyBoard::new();
        let mut later = Vec::new();
        if let (Some(store), Some(bound)) = (store, listeners.internal) {
            later.push(Stage::new(
                reconciling_stop.clone(),
                reconciling::start(base, bound, store, &board, &reconciling_stop)?,
            ));
        }
        if let (Some(queue), Some(store), Some(bound)) = (queue, store, listeners.api) {
            later.push(Stage::new(feeding.clone(), feed::start(base, bound, queue, store, &mut readiness, &feeding)?));
        }
        if let (Some(queue), Some(store), true) = (queue, store, matches!(role, Role::Run | Role::Consumer)) {
            later.insert(
                0,
                Stage::new(consuming.clone(), consumer::start(base, queue, store, &mut readiness, &consuming)?),
            );
        }
        if let (Some(queue), Some(bound)) = (queue, listeners.webhooks) {
            if role == Role::Ingress {
                let (client, keys) = keys::start(base, administering.clone()).await?;
                snapshot = keys;
                later.push(Stage::new(administering.clone(), vec![client]));
            }
            health::of_keys(&mut readiness, snapshot.clone());
            let (part, receiver) = ingress::start(base, bound, queue.publisher()?, snapshot, stop.clone())?;
            health::of_receiver(&mut readiness, receiver);
            stages.push(Stage::new(stop.clone(), vec![part]));
        } else {
            stages.push(Stage::new(stop.clone(), Vec::new()));
        }
        stages.extend(later);
        // A feed's only connection is that of its relay, which has told of it.
        if let Some(queue) = queue.filter(|_| role != Role::Feed) {
            health::of_queue(&mut readiness, role, queue.state());
        }
        let mut last = Vec::new();
        if let Some(sums) = gauges::start(base, role, queue, store, &mut readiness, &administering)? {
            last.push(sums);
        }
        last.push(health::serve(base, listeners.admin, readiness, administering.clone()));
        stages.push(Stage::new(administering, last));
        Ok(stages)
    }
}
