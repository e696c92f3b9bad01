//! What is old is purged, beside the reads; what matters still stays.

use std::time::Duration;

use events::UtcMicros;
use reconciler::{Did, Retention};
use store::{Cursor, DeliveryFilter, Feed, FeedFilter, Inspect};
use uuid::Uuid;

use crate::rig::{Rig, token};
use crate::signing::SigningKey;

const WEEK: Duration = Duration::from_hours(7 * 24);
const HOUR: Duration = Duration::from_hours(1);

fn for_a_week() -> Retention {
    Retention { deliveries: Some(WEEK), events: Some(WEEK), ..Retention::default() }
}

/// The store says when something was recorded, by the real time.
async fn rig() -> Rig {
    let mut rig = Rig::with(|_, rules| rules.announce_existing = true).await;
    rig.now = UtcMicros::now();
    rig.finlink.put(&token(1), "READY", 1);
    rig
}

impl Rig {
    async fn deliveries(&self) -> usize {
        self.store.deliveries(&DeliveryFilter::default()).await.unwrap().len()
    }

    async fn events(&self) -> usize {
        self.store.number(1000).await.unwrap();
        self.store.after(Cursor(0), &FeedFilter::default(), 1000).await.unwrap().entries.len()
    }

    fn purged(&self, kind: &str) -> f64 {
        self.metric("finlinkd_purged_total", &[("kind", kind)])
    }
}

#[tokio::test]
async fn what_is_older_than_retention_keeps_is_purged_and_counted() {
    let mut rig = rig().await;
    rig.retention = for_a_week();
    let mut reconciler = rig.reconciler();
    rig.hint(&token(1)).await;
    rig.settle(&mut reconciler).await;
    let events = rig.events().await;
    assert!(events > 0);
    rig.later(HOUR * (7 * 24 - 1));
    rig.settle(&mut reconciler).await;
    assert_eq!((rig.deliveries().await, rig.events().await), (1, events), "they are not old enough");
    rig.later(HOUR * 2);
    rig.settle(&mut reconciler).await;
    // One transaction a turn: deliveries, then events.
    rig.settle(&mut reconciler).await;
    assert_eq!((rig.deliveries().await, rig.events().await), (0, 0));
    assert_eq!((rig.purged("deliveries"), rig.purged("bodies"), rig.purged("events")), (1.0, 1.0, events as f64));
    assert_eq!(rig.connections().await.len(), 1, "what they led to stays");
}

#[tokio::test]
async fn many_are_purged_little_by_little_and_reads_go_on_between() {
    let mut rig = rig().await;
    rig.retention = for_a_week();
    for _ in 0..600 {
        rig.receive(b"{}", true).await;
    }
    rig.later(WEEK + HOUR);
    let mut reconciler = rig.reconciler();
    let mut left = Vec::new();
    for _ in 0..3 {
        let step = reconciler.step(rig.now).await;
        left.push(rig.deliveries().await);
        if left.len() == 1 {
            assert!(matches!(step.did, Did::Listed { .. }), "{:?}", step.did);
        }
    }
    assert_eq!(left, [100, 0, 0]);
    assert_eq!((rig.purged("deliveries"), rig.purged("bodies")), (600.0, 1.0));
}

#[tokio::test]
async fn unless_it_is_set_everything_is_kept() {
    let mut rig = rig().await;
    let mut reconciler = rig.reconciler();
    rig.hint(&token(1)).await;
    rig.settle(&mut reconciler).await;
    let events = rig.events().await;
    rig.later(WEEK * 1000);
    rig.settle(&mut reconciler).await;
    rig.settle(&mut reconciler).await;
    assert_eq!(rig.deliveries().await, 1);
    assert!(rig.events().await >= events);
}

#[tokio::test]
async fn a_standby_purges_nothing_and_what_is_undecided_waits_for_its_decision() {
    let mut rig = rig().await;
    rig.retention = for_a_week();
    rig.hint(&token(1)).await;
    let key = SigningKey::new();
    rig.pend(&key, &token(1)).await;
    rig.later(WEEK + HOUR);
    let other = rig.lease(Uuid::from_u128(1)).await.unwrap().unwrap();
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    assert_eq!(rig.deliveries().await, 2);
    store::Refresh::release(&*rig.store, &other).await.unwrap();
    rig.later(HOUR);
    // Overdue, it is rejected first; then it is as old as the other.
    rig.settle(&mut reconciler).await;
    assert_eq!(rig.deliveries().await, 0);
}

#[tokio::test]
async fn a_purge_that_fails_stops_no_read() {
    let mut rig = rig().await;
    rig.retention = for_a_week();
    rig.hint(&token(1)).await;
    rig.later(WEEK + HOUR);
    let trigger = "CREATE TRIGGER no BEFORE DELETE ON deliveries BEGIN SELECT RAISE(ABORT, 'no'); END";
    rig.database().execute_batch(trigger).unwrap();
    let mut reconciler = rig.reconciler();
    let (dids, last) = rig.settle(&mut reconciler).await;
    assert!(matches!(dids[0], Did::Listed { .. }) && last == Did::Nothing, "{dids:?} {last:?}");
    assert_eq!((rig.deliveries().await, rig.connections().await.len()), (1, 1));
    rig.database().execute_batch("DROP TRIGGER no").unwrap();
    // The round began a moment after its turn did.
    rig.later(HOUR + Duration::from_mins(1));
    rig.settle(&mut reconciler).await;
    assert_eq!(rig.deliveries().await, 0);
}
