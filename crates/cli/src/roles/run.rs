//! `finlinkd run`: every role in one process, composed of the same starts that the roles use alone.
//!
//! Promises: all listeners are bound before anything starts, so a taken port is one clear line; stopping goes from the
//! sources to the sinks (ingress, consumer, reconciler, feed, admin), within a deadline.

use std::net::SocketAddr;
use std::sync::Arc;

use listener::Bound;
use prometheus::process_collector::ProcessCollector;
use prometheus::{IntGauge, Opts, Registry};
use queue::QueueState;
use reconciler::KeyBoard;
use store::{Feed, Inspect};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use verification::KeySnapshot;

use super::part::Part;
use super::stages::{self, Stage};
use super::{consumer, feed, ingress, reconciler as reconciling};
use crate::admin::{self, Health, Readiness};
use crate::exit::Failure;
use crate::gauges::{self, Gauges};
use crate::settings::Settings;
use crate::{signals, wiring};

/// What every role is started with.
pub(crate) struct Base {
    /// The settings, checked.
    pub(crate) settings: Settings,
    /// Where metrics are registered.
    pub(crate) registry: Registry,
}

/// Where a running pipeline listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Webhooks.
    pub listen: SocketAddr,
    /// The user's API.
    pub api: SocketAddr,
    /// Metrics and health.
    pub admin: SocketAddr,
    /// Keys.
    pub internal: SocketAddr,
}

/// A running pipeline.
pub struct Running {
    /// Where it listens; the real ports where 0 was asked for.
    pub addresses: Addresses,
    /// Looks into its store. To be dropped before the data folder is used by another.
    pub inspect: Arc<dyn Inspect>,
    /// Its feed; the same holds.
    pub feed: Arc<dyn Feed>,
    base: Base,
    stop: CancellationToken,
    stages: Vec<Stage>,
    queue: wiring::Queue,
    store: wiring::Store,
}

/// Runs until a signal.
pub async fn run(settings: Settings) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    signals::watch(stop.clone())?;
    run_with(settings, stop).await
}

/// Runs until `stop`, or until a part ends by itself.
pub async fn run_with(settings: Settings, stop: CancellationToken) -> Result<(), Failure> {
    let running = start(settings, stop)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "finlinkd runs; stop it with SIGTERM or Ctrl-C");
    running.ended().await
}

/// Binds, opens and starts everything. Must be called within a tokio runtime.
pub fn start(settings: Settings, stop: CancellationToken) -> Result<Running, Failure> {
    let listeners = Listeners::bind(&settings)?;
    let addresses = listeners.addresses();
    let queue = wiring::open_queue(&settings)?;
    let store = wiring::open_store(&settings)?;
    let base = Base { settings, registry: registry().map_err(anyhow::Error::from)? };
    let stages = start_parts(&base, listeners, &queue, &store, &stop)?;
    let (inspect, feed) = (store.inspect(), store.feed());
    Ok(Running { addresses, inspect, feed, base, stop, stages, queue, store })
}

impl Running {
    /// Waits for the end and cleans up: the data folder is free when this returns.
    pub async fn ended(self) -> Result<(), Failure> {
        let Self { inspect, feed, base, stop, stages, queue, store, .. } = self;
        let ended = stages::run(stages, &stop, base.settings.shutdown_deadline).await;
        drop((inspect, feed));
        queue.close().await;
        store.close().await;
        tracing::info!("stopped");
        ended.map_err(|unclean| Failure::Runtime(unclean.into()))
    }
}

struct Listeners {
    webhooks: Bound,
    api: Bound,
    admin: Bound,
    internal: Bound,
}

impl Listeners {
    fn bind(settings: &Settings) -> anyhow::Result<Self> {
        Ok(Self {
            webhooks: listener::bind("listen", settings.listen)?,
            api: listener::bind("api_listen", settings.api_listen)?,
            admin: listener::bind("admin_listen", settings.admin_listen)?,
            internal: listener::bind("internal_listen", settings.internal_listen)?,
        })
    }

    fn addresses(&self) -> Addresses {
        Addresses {
            listen: self.webhooks.address(),
            api: self.api.address(),
            admin: self.admin.address(),
            internal: self.internal.address(),
        }
    }
}

fn start_parts(
    base: &Base,
    listeners: Listeners,
    queue: &wiring::Queue,
    store: &wiring::Store,
    stop: &CancellationToken,
) -> anyhow::Result<Vec<Stage>> {
    let [consuming, reconciling_stop, feeding, administering] = std::array::from_fn(|_| CancellationToken::new());
    let (keys, snapshot) = KeyBoard::new();
    let reconcilers = reconciling::start(base, listeners.internal, store, &keys, &reconciling_stop)?;
    let feeders = feed::start(base, listeners.api, store, &feeding)?;
    let consumer = consumer::start(base, queue.subscribe(), store, consuming.clone())?;
    let (ingress, receiver) =
        ingress::start(base, listeners.webhooks, queue.publisher(), snapshot.clone(), stop.clone())?;

    let (store_health, store_state) = watch::channel(Health::Ready);
    let mut readiness = Readiness::default();
    readiness.part("ingress", move || receiver.check().map_or_else(Health::Unready, |()| Health::Ready));
    let queue_state = queue.state();
    readiness.part("queue", move || queue_health(&queue_state.borrow()));
    readiness.part("store", move || store_state.borrow().clone());
    readiness.part("keys", move || keys_health(&snapshot.borrow()));
    let apps: Vec<_> = base.settings.apps.keys().cloned().collect();
    let sums = Gauges::register(&base.registry, &apps)?;
    let sums = gauges::run(store.inspect(), queue.clone(), sums, store_health, administering.clone());
    let admin = serve_admin(base, listeners.admin, readiness, administering.clone());
    Ok(vec![
        Stage::new(stop.clone(), vec![ingress]),
        Stage::new(consuming, vec![consumer]),
        Stage::new(reconciling_stop, reconcilers),
        Stage::new(feeding, feeders.into()),
        Stage::new(administering, vec![Part::spawn("totals", sums), admin]),
    ])
}

fn serve_admin(base: &Base, bound: Bound, readiness: Readiness, stop: CancellationToken) -> Part {
    let (limits, registry) = (base.settings.http.clone(), base.registry.clone());
    Part::spawn("admin listener", async move { admin::serve(bound, &limits, registry, readiness, stop).await })
}

fn queue_health(state: &QueueState) -> Health {
    match state {
        QueueState::Ready => Health::Ready,
        QueueState::Degraded(why) => Health::Degraded(why.clone()),
        QueueState::Starting => Health::Unready("starting".to_owned()),
        QueueState::Down(why) => Health::Unready(why.clone()),
    }
}

/// Without keys every webhook is kept as pending: that is safe, but nothing is hinted at.
fn keys_health(snapshot: &KeySnapshot) -> Health {
    match snapshot.read_at {
        Some(_) => Health::Ready,
        None => Health::Degraded("no verification keys were read yet: webhooks are kept until they are".to_owned()),
    }
}

fn registry() -> Result<Registry, prometheus::Error> {
    let registry = Registry::new();
    registry.register(Box::new(ProcessCollector::for_self()))?;
    let opts = Opts::new("finlinkd_build_info", "Which version runs; always 1")
        .const_label("version", env!("CARGO_PKG_VERSION"));
    let build = IntGauge::with_opts(opts)?;
    build.set(1);
    registry.register(Box::new(build))?;
    Ok(registry)
}
