//! Several feeds on one store (R7): one relays, and another goes on where that one ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use feed::{EventSink, Metrics, NotRelayed, Relay, Relayed, Settings};
use prometheus::Registry;
use store::{Cursor, FeedEntry};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::scene::Scene;
use crate::served::quick;

/// Events that are taken and not looked at yet, at most.
const TAKEN_MAX: usize = 1000;

/// Another system, as one feed reaches it.
struct Reached {
    taken: mpsc::Sender<u64>,
    away: AtomicBool,
    /// Nothing is taken while somebody else holds it.
    gate: Mutex<()>,
}

#[async_trait]
impl EventSink for Reached {
    async fn relay(&self, entry: &FeedEntry) -> Result<Relayed, NotRelayed> {
        if self.away.load(Ordering::Relaxed) {
            return Err(NotRelayed("away".to_owned()));
        }
        let _gate = self.gate.lock().await;
        self.taken.send(entry.number).await.unwrap();
        Ok(Relayed::Routed)
    }
}

/// One of several feeds.
struct OneFeed {
    sink: Arc<Reached>,
    taken: mpsc::Receiver<u64>,
    registry: Registry,
    stop: CancellationToken,
    running: JoinHandle<Result<(), std::convert::Infallible>>,
    /// Nothing is numbered in this process; while it lives, nobody takes that for the end.
    latest: watch::Sender<Cursor>,
}

impl OneFeed {
    fn start(scene: &Scene, settings: Settings, away: bool) -> Self {
        let (taken, takings) = mpsc::channel(TAKEN_MAX);
        let sink = Arc::new(Reached { taken, away: AtomicBool::new(away), gate: Mutex::new(()) });
        let (registry, stop) = (Registry::new(), CancellationToken::new());
        let metrics = Metrics::register(&registry).unwrap();
        let (numbered, latest) = watch::channel(Cursor(0));
        let relay = Relay::new(scene.arc(), scene.arc(), sink.clone(), settings, metrics, latest);
        let running = tokio::spawn(relay.run(stop.clone()));
        Self { sink, taken: takings, registry, stop, running, latest: numbered }
    }

    /// The next events that it hands over, up to one.
    async fn takes_to(&mut self, last: u64) -> Vec<u64> {
        let mut numbers = Vec::new();
        while numbers.last() != Some(&last) {
            numbers.push(self.taken.recv().await.unwrap());
        }
        numbers
    }

    /// What it handed over that nobody looked at.
    fn took(&mut self) -> Vec<u64> {
        std::iter::from_fn(|| self.taken.try_recv().ok()).collect()
    }

    async fn is_active(&self, active: bool) {
        let shown = || {
            let families = self.registry.gather();
            let family = families.iter().find(|family| family.name() == "finlinkd_relay_active").unwrap();
            family.get_metric()[0].get_gauge().get_value() > 0.0
        };
        while shown() != active {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn stopped(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
        drop(self.latest);
    }
}

fn lasting(relay_lease: Duration) -> Settings {
    Settings { relay_lease, relay_every: Duration::from_millis(20), ..quick() }
}

/// A lease that no test waits for the end of.
const LONG: Duration = Duration::from_hours(1);

/// One more connection: its events have numbers, and the last is returned.
async fn another(scene: &Scene, n: u32) -> u64 {
    scene.sync("main", &format!("CONN{n:06}"), 1).await;
    scene.number().await;
    scene.all().await.last().unwrap().number
}

#[tokio::test]
async fn one_relays_and_another_goes_on_at_once_when_it_stops() {
    let scene = Scene::new(&["main"]).await;
    let mut first = OneFeed::start(&scene, lasting(LONG), false);
    first.is_active(true).await;
    let mut second = OneFeed::start(&scene, lasting(LONG), false);
    let last = another(&scene, 1).await;
    assert_eq!(first.takes_to(last).await, (1..=last).collect::<Vec<_>>());
    first.stop.cancel();
    second.is_active(true).await;
    let later = another(&scene, 2).await;
    assert_eq!(second.takes_to(later).await, (last + 1..=later).collect::<Vec<_>>());
    assert_eq!(first.took(), [] as [u64; 0]);
    first.stopped().await;
    second.stopped().await;
}

#[tokio::test]
async fn the_turn_of_one_that_vanished_ends_by_itself() {
    let scene = Scene::new(&["main"]).await;
    let settings = lasting(Duration::from_millis(200));
    let mut first = OneFeed::start(&scene, settings.clone(), false);
    let last = another(&scene, 1).await;
    first.takes_to(last).await;
    first.running.abort();
    let mut second = OneFeed::start(&scene, settings, false);
    let later = another(&scene, 2).await;
    assert_eq!(second.takes_to(later).await.last(), Some(&later));
    second.stopped().await;
}

#[tokio::test]
async fn one_that_reaches_nobody_leaves_the_turn_to_one_that_does() {
    let scene = Scene::new(&["main"]).await;
    let mut cut_off = OneFeed::start(&scene, lasting(LONG), true);
    cut_off.is_active(true).await;
    let mut second = OneFeed::start(&scene, lasting(LONG), false);
    let last = another(&scene, 1).await;
    assert_eq!(second.takes_to(last).await, (1..=last).collect::<Vec<_>>());
    assert_eq!(cut_off.took(), [] as [u64; 0]);
    cut_off.stopped().await;
    second.stopped().await;
}

#[tokio::test]
async fn the_turn_is_prolonged_while_an_event_is_on_its_way() {
    const LASTS: Duration = Duration::from_secs(5);
    let scene = Scene::new(&["main"]).await;
    let mut first = OneFeed::start(&scene, lasting(LASTS), false);
    first.is_active(true).await;
    let sink = first.sink.clone();
    let gate = sink.gate.lock().await;
    let mut second = OneFeed::start(&scene, lasting(LASTS), false);
    let last = another(&scene, 1).await;
    tokio::time::sleep(LASTS * 3 / 2).await;
    drop(gate);
    assert_eq!(first.takes_to(last).await, (1..=last).collect::<Vec<_>>());
    assert_eq!(second.took(), [] as [u64; 0]);
    first.stopped().await;
    second.stopped().await;
}
