//! R7 towards another system: in order, past what it never takes, and not past what it does not take now.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use feed::{EventSink, Metrics, NotRelayed, Relay, Relayed};
use prometheus::Registry;
use store::{Cursor, FeedEntry};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::scene::Scene;
use crate::served::quick;

/// The event that the other system refuses for what it is.
const REFUSED: u64 = 2;
/// The event that it takes only when it is offered a second time.
const AWAY_AT_FIRST: u64 = 4;

/// Offers that are told and not heard yet, at most.
const OFFERS_MAX: usize = 100;

struct Choosy {
    offered: mpsc::Sender<u64>,
    times_away: AtomicUsize,
    taken: Mutex<Vec<u64>>,
}

#[async_trait]
impl EventSink for Choosy {
    async fn relay(&self, entry: &FeedEntry) -> Result<Relayed, NotRelayed> {
        self.offered.send(entry.number).await.unwrap();
        match entry.number {
            REFUSED => return Ok(Relayed::Refused("it is too large".to_owned())),
            AWAY_AT_FIRST if self.times_away.fetch_add(1, Ordering::Relaxed) == 0 => {
                return Err(NotRelayed("away".to_owned()));
            }
            number => self.taken.lock().unwrap().push(number),
        }
        Ok(Relayed::Routed)
    }
}

#[tokio::test]
async fn what_is_refused_for_good_is_passed_over_and_counted_and_what_is_not_taken_now_waits() {
    let scene = Scene::new(&["main"]).await;
    for number in 0..5 {
        scene.sync("main", &format!("CONN{number:06}"), 1).await;
    }
    scene.number().await;
    let last = scene.all().await.last().unwrap().number;
    assert!(last > AWAY_AT_FIRST);
    let (registry, stop) = (Registry::new(), CancellationToken::new());
    let (offered, mut offers) = mpsc::channel(OFFERS_MAX);
    let sink = std::sync::Arc::new(Choosy { offered, times_away: AtomicUsize::new(0), taken: Mutex::default() });
    let metrics = Metrics::register(&registry).unwrap();
    let (_latest, latest) = watch::channel(Cursor(last));
    let relay = Relay::new(scene.arc(), scene.arc(), sink.clone(), quick(), metrics, latest);
    let running = tokio::spawn(relay.run(stop.clone()));

    let mut order = Vec::new();
    while order.last() != Some(&last) {
        order.push(offers.recv().await.unwrap());
    }
    stop.cancel();
    running.await.unwrap().unwrap();

    let mut expected: Vec<u64> = (1..=last).collect();
    expected.insert(AWAY_AT_FIRST as usize, AWAY_AT_FIRST);
    assert_eq!(order, expected);
    let taken: Vec<u64> = (1..=last).filter(|number| *number != REFUSED).collect();
    assert_eq!(*sink.taken.lock().unwrap(), taken);
    let families = registry.gather();
    let refused = families.iter().find(|family| family.name() == "finlinkd_events_refused_total").unwrap();
    assert_eq!(refused.get_metric()[0].get_counter().get_value() as u64, 1);
}
