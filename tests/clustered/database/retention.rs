//! A purge beside those who record, each of whom has seen or is about to see what goes.

use events::UtcMicros;
use store::conformance::version5::POSTGRES;
use store::conformance::world::{again, bound, names, webhook};
use store::postgres::PostgresStore;
use store::{Inspect, Intake, Lease, PurgedDeliveries, Reading, Recorded, Refresh};
use tests::looking::eventually;

use super::place::{HOLD_HINTS, Place, second};

/// More than there is.
const MANY: usize = 1000;

/// A body that was recorded once, long ago: before the time that is answered.
async fn an_old_one(store: &PostgresStore) -> (Reading, UtcMicros) {
    let old = webhook(names(&[1]), bound(), second(1));
    assert_eq!(store.record(std::slice::from_ref(&old)).await, Ok(vec![Recorded::New]));
    (old, Refresh::time(store).await.unwrap())
}

async fn is_whole(store: &PostgresStore, reading: &Reading) {
    let detail =
        store.delivery(reading.webhook.receipt).await.unwrap().expect("a delivery without its body is not shown");
    assert_eq!(detail.body.as_ref(), Some(&reading.webhook.body));
}

async fn purge(store: &PostgresStore, lease: &Lease, before: UtcMicros) -> PurgedDeliveries {
    store.purge_deliveries(lease, before, None, MANY).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_somebody_found_there_stays() {
    let place = Place::new().await;
    let store = place.store();
    let lease = place.enrolled(&store).await;
    place.knows(2).await;
    let (old, before) = an_old_one(&store).await;
    let duplicate = [again(&old)];
    // It has looked, and has not written yet.
    let held = place.hold(HOLD_HINTS).await;
    let (recorded, purged) = tokio::join!(store.record(&duplicate), async {
        place.blocked(1).await;
        let (purged, ()) = tokio::join!(purge(&store, &lease, before), async {
            place.blocked(2).await;
            held.release().await;
        });
        purged
    });
    assert_eq!(recorded, Ok(vec![Recorded::Duplicate]));
    assert_eq!(purged, PurgedDeliveries { deliveries: 1, bodies: 0, next: None });
    is_whole(&store, &duplicate[0]).await;
    let later = Refresh::time(&store).await.unwrap();
    assert_eq!(purge(&store, &lease, later).await, PurgedDeliveries { deliveries: 1, bodies: 1, next: None });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_recorded_again_while_it_goes_is_new() {
    let place = Place::new().await;
    let store = place.store();
    let lease = place.enrolled(&store).await;
    place.knows(2).await;
    let (old, before) = an_old_one(&store).await;
    let same = [again(&old)];
    // Both are deleted, and that is not committed yet.
    let held = place.hold("LOCK TABLE purged IN ACCESS EXCLUSIVE MODE").await;
    let (purged, recorded) = tokio::join!(purge(&store, &lease, before), async {
        place.blocked(1).await;
        let (recorded, ()) = tokio::join!(store.record(&same), async {
            place.blocked(2).await;
            held.release().await;
        });
        recorded
    });
    assert_eq!(purged, PurgedDeliveries { deliveries: 1, bodies: 1, next: None });
    assert_eq!(recorded, Ok(vec![Recorded::New]));
    is_whole(&store, &same[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_delivery_loses_its_body_while_many_record_the_same_and_all_is_purged() {
    const ROUNDS: usize = 40;
    let place = Place::new().await;
    let store = place.store();
    let lease = place.enrolled(&store).await;
    place.knows(2).await;
    let bodies: Vec<_> = (0..3).map(|_| webhook(names(&[1]), bound(), second(1))).collect();
    let record = async || {
        for round in 0..ROUNDS {
            let batch: Vec<_> = bodies.iter().map(again).take(1 + round % 3).collect();
            store.record(&batch).await.unwrap();
        }
    };
    let unshown = "SELECT count(*) FROM deliveries WHERE NOT EXISTS (SELECT FROM bodies WHERE bodies.id = body_id)";
    let purging = async {
        let mut gone = 0;
        for _ in 0..ROUNDS {
            let before = Refresh::time(&store).await.unwrap();
            gone += store.purge_deliveries(&lease, before, None, 2).await.unwrap().deliveries;
            assert_eq!(place.number(unshown).await, 0);
        }
        gone
    };
    let ((), (), gone) = tokio::join!(record(), record(), purging);
    assert!(gone > 0);
    let before = Refresh::time(&store).await.unwrap();
    purge(&store, &lease, before).await;
    let left =
        "SELECT (SELECT count(*) FROM deliveries) + (SELECT count(*) FROM bodies) + (SELECT count(*) FROM bodies_left)
        + (SELECT max(abs(total))::bigint FROM (SELECT sum(value) AS total FROM counters
            WHERE name IN ('deliveries', 'bodies', 'body_bytes', 'duplicates') GROUP BY name, word) AS totals)";
    assert_eq!(place.number(left).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_program_recorded_ages_from_when_the_schema_knew_of_it() {
    let place = Place::of_version_5().await;
    place.run(&POSTGRES.writes(1)).await;
    let store = place.store();
    eventually("the schema is migrated", async || store.ready().await.map_err(|error| error.to_string())).await;
    let lease = place.enrolled(&store).await;
    let from = UtcMicros(place.number("SELECT value FROM meta WHERE name = 'recorded_from'").await);
    let now = Refresh::time(&store).await.unwrap();
    assert!(from <= now && now.since(from) < tests::http::PATIENCE, "{from} is not when it was migrated");
    // A rolling update: the older program goes on beside, and the schema notes the time for it.
    place.run(&POSTGRES.writes(2)).await;
    assert_eq!(place.number("SELECT count(*) FROM deliveries WHERE recorded_at IS NULL").await, 2);
    assert_eq!(place.number(&format!("SELECT count(*) FROM deliveries WHERE recorded_at > {}", from.0)).await, 2);
    assert_eq!(purge(&store, &lease, from).await, PurgedDeliveries::default());
    let purged = purge(&store, &lease, UtcMicros(from.0 + 1)).await;
    assert_eq!(purged, PurgedDeliveries { deliveries: 1, bodies: 0, next: None }, "the other one is pending");
}
