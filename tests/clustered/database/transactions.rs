//! What becomes of a transaction when its caller, its connection, the way to the server, or its time is gone.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use store::conformance::world::{again, bound, found, names, read, ready, token, webhook};
use store::postgres::Settings;
use store::{Intake, Observation, Reading, Recorded, Refresh, StoreError};
use tests::looking::eventually;
use tests::proxy::{Fault, FaultProxy};

use super::patient;
use super::place::{HOLD_HINTS, Place, impatient, second};

/// A call is dropped after so many polls.
const POLLS_MAX: u32 = 30;

fn reading(n: u32) -> Reading {
    webhook(names(&[n]), bound(), second(1))
}

/// Starts a call, waits until it waits for `lock`, and goes away.
async fn abandoned(place: &Place, lock: &str, call: impl Future<Output = ()>) {
    let held = place.hold(lock).await;
    tokio::select! {
        () = call => panic!("it was done although it should be held up"),
        () = place.blocked(1) => {}
    }
    held.release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_begun_is_finished_without_its_caller_and_leaves_no_transaction_open() {
    let place = Place::new().await;
    let store = place.store_with(&Settings { connections_max: 1, ..patient() });
    let lease = place.enrolled(&store).await;
    place.knows(2).await;
    let first = [reading(1)];
    abandoned(&place, HOLD_HINTS, async { drop(store.record(&first).await) }).await;
    place.is_idle().await;
    assert_eq!((place.deliveries().await, place.hints().await), (1, 1));

    let all = "LOCK TABLE refreshes IN ACCESS EXCLUSIVE MODE";
    abandoned(&place, all, async { drop(store.claim_one(&lease, second(2), second(60)).await) }).await;
    place.is_idle().await;
    let claimed = "SELECT count(*) FROM refreshes WHERE token <> '' AND claimed_until IS NOT NULL";
    assert_eq!(place.number(claimed).await, 1);

    let seen = [Observation { read: read(token(1), 9, found(ready(1, 1)), 3), claim: None }];
    abandoned(&place, all, async { drop(store.observe(&lease, &seen, None, second(3)).await) }).await;
    place.is_idle().await;
    assert_eq!(place.number("SELECT count(*) FROM connections").await, 1);

    // The next one on the same connection is in no transaction of another.
    assert_eq!(store.record(&[reading(2)]).await, Ok(vec![Recorded::New]));
    assert_eq!(place.deliveries().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_may_be_dropped_at_any_point() {
    let place = Place::new().await;
    let store = place.store_with(&Settings { connections_max: 1, ..patient() });
    for polls in 1..=POLLS_MAX {
        let one = [reading(polls)];
        let mut call = pin!(store.record(&one));
        for _ in 0..polls {
            let poll = poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
            if poll.is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(store.record(&[reading(0)]).await, Ok(vec![Recorded::New]));
    // Each was begun, and so is done, once the one connection comes round to it.
    let begun = i64::from(POLLS_MAX) + 1;
    let done = eventually("every call that was begun is done", async || match place.deliveries().await {
        count if count == begun => Ok(()),
        count => Err(format!("{count} of {begun} are")),
    });
    done.await;
    place.is_idle().await;
    assert_eq!((place.deliveries().await, place.hints().await), (begun, begun));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_in_the_middle_leaves_nothing_and_the_next_try_stores_everything_once() {
    let place = Place::new().await;
    let store = place.store();
    place.knows(20).await;
    let held = place.hold(HOLD_HINTS).await;
    let batch: Vec<_> = (0..20).map(reading).collect();
    let (recorded, ended) = tokio::join!(store.record(&batch), async {
        place.blocked(1).await;
        place.terminate("wait_event_type = 'Lock'").await
    });
    assert_eq!(ended, 1);
    assert!(matches!(recorded, Err(StoreError::Unavailable(_))), "{recorded:?}");
    held.release().await;
    let bodies = place.number("SELECT count(*) FROM bodies").await;
    assert_eq!((place.deliveries().await, bodies, place.hints().await), (0, 0, 0));
    assert_eq!(store.record(&batch).await, Ok(vec![Recorded::New; 20]));
    assert_eq!(store.record(&batch).await, Ok(vec![Recorded::Redelivered; 20]));
    assert_eq!((place.deliveries().await, place.hints().await), (20, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_or_a_lock_that_takes_too_long_is_to_be_tried_again() {
    let place = Place::new().await;
    place.knows(3).await;
    let short = Duration::from_secs(1);
    let limits = [
        (Settings { statement_timeout: short, ..impatient() }, "statement timeout"),
        (Settings { lock_timeout: short, ..impatient() }, "lock timeout"),
    ];
    for (n, (limit, reason)) in (1..).zip(limits) {
        let store = place.store_with(&Settings { answer_timeout: Duration::from_secs(30), ..limit });
        let held = place.hold(HOLD_HINTS).await;
        let one = [reading(n)];
        let refused = store.record(&one).await;
        assert!(matches!(&refused, Err(StoreError::Obstructed(why)) if why.contains(reason)), "{refused:?}");
        held.release().await;
        assert_eq!(store.record(&one).await, Ok(vec![Recorded::New]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_after_the_commit_is_no_second_delivery() {
    let place = Place::new().await;
    let (proxy, far) = through_a_proxy(&place).await;
    let store = Place::store_through(&far, &impatient());
    place.knows(2).await;
    let held = place.hold(HOLD_HINTS).await;
    let one = [reading(1)];
    let (recorded, ()) = tokio::join!(store.record(&one), async {
        place.blocked(1).await;
        proxy.set(Fault::DeafClient);
        held.release().await;
    });
    assert!(matches!(recorded, Err(StoreError::Obstructed(_))), "{recorded:?}");
    proxy.set(Fault::Reset);
    proxy.set(Fault::None);
    assert_eq!(store.record(&one).await, Ok(vec![Recorded::Redelivered]));
    assert_eq!((place.deliveries().await, place.hints().await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_falls_silent_in_a_transaction_holds_nobody_up_for_long() {
    let place = Place::new().await;
    let (proxy, far) = through_a_proxy(&place).await;
    let (store, other) = (Place::store_through(&far, &impatient()), place.store());
    let lease = place.enrolled(&store).await;
    let held = place.hold("LOCK TABLE connections IN ACCESS EXCLUSIVE MODE").await;
    let seen = [Observation { read: read(token(1), 9, found(ready(1, 1)), 3), claim: None }];
    let (observed, ()) = tokio::join!(store.observe(&lease, &seen, None, second(3)), async {
        place.blocked(1).await;
        proxy.set(Fault::BlackHole);
        held.release().await;
    });
    assert!(matches!(observed, Err(StoreError::Obstructed(_))), "{observed:?}");
    // Its transaction held the lease's row.
    other.release(&lease).await.unwrap();
    place.is_idle().await;
    assert_eq!(place.number("SELECT count(*) FROM connections").await, 0);
}

async fn through_a_proxy(place: &Place) -> (FaultProxy, String) {
    let server = place.url.split(['@', '/']).nth(3).unwrap().to_owned();
    let proxy = FaultProxy::start(server.parse().unwrap()).await.unwrap();
    let far = place.url.replace(&server, &proxy.address().to_string());
    (proxy, far)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_loses_a_deadlock_is_done_again() {
    let place = Place::new().await;
    let store = place.store();
    let (known, one) = (reading(1), reading(1));
    store.record(&[known]).await.unwrap();
    // Ours finds the deadlock: it looks for one once, when the stranger is in it, and the stranger would look much later.
    place
        .run("DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET deadlock_timeout = 2000'; END $$")
        .await;
    let store_again = place.store_with(&Settings { lock_timeout: Duration::from_secs(20), ..patient() });
    let held = place.hold(&format!("SET LOCAL deadlock_timeout = 60000; {HOLD_HINTS}")).await;
    let receipt = one.webhook.receipt;
    let batch = [one.clone()];
    let (recorded, ()) = tokio::join!(store_again.record(&batch), async {
        place.blocked(1).await;
        let same = format!(
            "INSERT INTO deliveries (received_at, sequence, receipt, instance, body_id, binds_body, duplicate, app, verification)
             SELECT received_at, sequence, '{receipt}', instance, body_id, binds_body, duplicate, app, verification
             FROM deliveries LIMIT 1"
        );
        held.also(&same).await;
        held.release().await;
    });
    assert_eq!(recorded, Ok(vec![Recorded::New]));
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let told = eventually("the deadlock is counted", async || match place.number(deadlocks).await {
        1 => Ok(()),
        found => Err(format!("{found} are")),
    });
    told.await;
    assert_eq!((place.deliveries().await, place.hints_of(&token(1)).await), (2, 2));
    assert_eq!(store.record(&[again(&one)]).await, Ok(vec![Recorded::Duplicate]));
}
