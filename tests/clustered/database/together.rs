//! Several processes at once: the same messages, the same rows, the same lease.

use std::collections::BTreeSet;

use store::conformance::world::{again, app, bound, found, names, read, ready, token, webhook};
use store::postgres::PostgresStore;
use store::{Intake, Observation, Reading, Recorded, Refresh, StoreError};
use uuid::Uuid;

use super::place::{HOLD_HINTS, Place, second};

fn batch(size: u32) -> Vec<Reading> {
    (0..size).map(|n| webhook(names(&[n]), bound(), second(1))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_recorded_by_two_at_the_same_time_is_recorded_once() {
    let place = Place::new().await;
    let (one, other, batch) = (place.store(), place.store(), batch(3));
    place.knows(3).await;
    // One has written all but the hints when the other looks, and sees nothing of it.
    let held = place.hold(HOLD_HINTS).await;
    let first = async { one.record(&batch).await };
    let second = async {
        place.blocked(1).await;
        other.record(&batch).await
    };
    let (first, second, ()) = tokio::join!(first, second, async {
        place.blocked(2).await;
        held.release().await;
    });
    assert_eq!(first, Ok(vec![Recorded::New; 3]));
    assert_eq!(second, Ok(vec![Recorded::Redelivered; 3]));
    assert_eq!((place.deliveries().await, place.hints().await), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_comes_twice_at_the_same_time_is_kept_once_and_hints_twice() {
    let place = Place::new().await;
    let (one, other, batch) = (place.store(), place.store(), batch(3));
    let same: Vec<_> = batch.iter().map(again).collect();
    place.knows(3).await;
    let held = place.hold(HOLD_HINTS).await;
    let (first, second, ()) = tokio::join!(
        one.record(&batch),
        async {
            place.blocked(1).await;
            other.record(&same).await
        },
        async {
            place.blocked(2).await;
            held.release().await;
        }
    );
    assert_eq!(first, Ok(vec![Recorded::New; 3]));
    assert_eq!(second, Ok(vec![Recorded::Duplicate; 3]));
    assert_eq!(place.number("SELECT count(*) FROM bodies").await, 3);
    assert_eq!((place.deliveries().await, place.hints().await), (6, 6));
    let newest = place.text("SELECT max(last_receipt::text) FROM bodies").await;
    assert_eq!(newest, same.iter().map(|reading| reading.webhook.receipt.0.to_string()).max().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_in_opposite_orders_end_in_the_same_sums_and_in_no_error() {
    const ROUNDS: usize = 15;
    const SIZE: u32 = 40;
    let place = Place::new().await;
    let stores = [place.store(), place.store()];
    for _ in 0..ROUNDS {
        let forward = batch(SIZE);
        let mut backward: Vec<_> = forward.iter().map(again).collect();
        backward.extend(forward.iter().cloned());
        backward.reverse();
        let (one, other) = tokio::join!(stores[0].record(&forward), stores[1].record(&backward));
        let recorded = [one.unwrap(), other.unwrap()].concat();
        let of = |what: Recorded| recorded.iter().filter(|recorded| **recorded == what).count();
        let each = SIZE as usize;
        assert_eq!((of(Recorded::New), of(Recorded::Duplicate), of(Recorded::Redelivered)), (each, each, each));
    }
    let (rounds, size) = (ROUNDS as i64, i64::from(SIZE));
    assert_eq!(place.number("SELECT count(*) FROM bodies").await, rounds * size);
    assert_eq!((place.deliveries().await, place.hints().await), (2 * rounds * size, 2 * rounds * size));
    let told = |name: &str| format!("SELECT coalesce(sum(value), 0)::bigint FROM counters WHERE name = '{name}'");
    assert_eq!(place.number(&told("deliveries")).await, 2 * rounds * size);
    assert_eq!(place.number(&told("duplicates")).await, rounds * size);
    let bytes = place.number("SELECT sum(length(bytes))::bigint FROM bodies").await;
    assert_eq!(place.number(&told("body_bytes")).await, bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_somebody_holds_is_passed_by_and_no_row_is_claimed_twice() {
    const ROWS: u32 = 60;
    let place = Place::new().await;
    let (one, other) = (place.store(), place.store());
    let lease = place.enrolled(&one).await;
    one.record(&batch(ROWS)).await.unwrap();
    let held = place.hold(&format!("SELECT FROM refreshes WHERE token = '{}' FOR UPDATE", token(0))).await;
    let all_of = async |store: &PostgresStore| {
        let mut claimed = Vec::new();
        while let Some(one) = store.claim_one(&lease, second(2), second(60)).await.unwrap() {
            claimed.extend(one.claims.into_iter().filter_map(|claim| claim.token));
        }
        claimed
    };
    let (a, b, c, d) = tokio::join!(all_of(&one), all_of(&one), all_of(&other), all_of(&other));
    held.release().await;
    let claimed = [a, b, c, d].concat();
    let different: BTreeSet<_> = claimed.iter().cloned().collect();
    assert_eq!(different.len(), claimed.len());
    assert_eq!(different, (1..ROWS).map(token).collect());
    let left = one.claim_one(&lease, second(2), second(60)).await.unwrap().unwrap();
    assert_eq!(left.claims[0].token, Some(token(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_taken_over_between_transactions_and_what_comes_after_is_refused() {
    let place = Place::new().await;
    let (one, other) = (place.store(), place.store());
    let lease = place.enrolled(&one).await;
    let seen = |n| [Observation { read: read(token(n), 9, found(ready(n, 1)), 3), claim: None }];
    let first = seen(1);
    let held = place.hold("LOCK TABLE connections IN ACCESS EXCLUSIVE MODE").await;
    // Its hour is over by the clock of another, while a transaction of its own is under way.
    let late = second(7200);
    let (observed, taken, ()) = tokio::join!(
        one.observe(&lease, &first, None, second(3)),
        async {
            place.blocked(1).await;
            other.lease(&app(), Uuid::from_u128(3), late, second(10_800)).await
        },
        async {
            place.blocked(2).await;
            held.release().await;
        }
    );
    assert_eq!(observed.unwrap().len(), 1, "what was under way is finished");
    let taken = taken.unwrap().unwrap();
    assert!(taken.fence > lease.fence);
    let stale = one.observe(&lease, &seen(2), None, second(4)).await;
    assert_eq!(stale.map(drop), Err(StoreError::Fenced(app())));
    other.observe(&taken, &seen(3), None, second(7201)).await.unwrap();
    assert_eq!(place.number("SELECT count(*) FROM connections").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_time_is_ahead_costs_a_takeover_and_no_more() {
    let place = Place::new().await;
    let (behind, ahead) = (place.store(), place.store());
    // A port goes by the time that it is given; whose clock that is, the processes agree on (`SharedClock`).
    let lease = place.enrolled(&behind).await;
    assert!(behind.lease(&app(), lease.holder, second(1), second(30)).await.unwrap().is_some());
    let theirs = Uuid::from_u128(3);
    assert_eq!(ahead.lease(&app(), theirs, second(29), second(60)).await.unwrap(), None);
    let taken = ahead.lease(&app(), theirs, second(30), second(60)).await.unwrap().unwrap();
    assert_eq!(behind.claim_one(&lease, second(2), second(60)).await.map(drop), Err(StoreError::Fenced(app())));
    // The one that is behind waits for longer than it would have to; it never speaks beside the other.
    assert_eq!(behind.lease(&app(), lease.holder, second(31), second(61)).await.unwrap(), None);
    assert!(ahead.claim_list(&taken, second(31), second(60), 10).await.is_ok());
    let back = behind.lease(&app(), lease.holder, second(60), second(90)).await.unwrap().unwrap();
    assert!(back.fence > taken.fence);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_race_that_is_lost_again_and_again_is_nobodys_fault() {
    let place = Place::new().await;
    // Whatever is looked for is not there, and whatever is inserted is.
    place
        .run(
            "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE unique_violation; END';
             CREATE TRIGGER lose BEFORE INSERT ON deliveries EXECUTE FUNCTION lose()",
        )
        .await;
    let (store, batch) = (place.store(), batch(3));
    let refused = store.record(&batch).await;
    assert!(matches!(&refused, Err(StoreError::Obstructed(why)) if why.contains("23505")), "{refused:?}");
    place.run("DROP TRIGGER lose ON deliveries").await;
    assert_eq!(store.record(&batch).await, Ok(vec![Recorded::New; 3]));
}
