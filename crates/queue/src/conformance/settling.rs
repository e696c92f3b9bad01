//! How batches end: acknowledged whole, or delivered again and counted.

use super::{Engine, next, publish, take_all, whole};
use crate::testing::{limits, numbers};

/// Each time, and what was not in it is not counted.
pub async fn a_dropped_batch_comes_back_with_its_attempt_counted(engine: &dyn Engine) {
    let queue = engine.open().await;
    publish(&*queue, 1..=2).await;
    let mut subscription = queue.subscribe();
    for attempts in 0..3 {
        let batch = next(&mut subscription, &whole(2)).await;
        let mut found = numbers(&batch);
        found.sort_unstable();
        assert_eq!(found, [(1, attempts), (2, attempts)]);
    }
    publish(&*queue, [3]).await;
    let mut taken = take_all(&mut subscription, 3).await;
    taken.sort_unstable();
    assert_eq!(taken, [(1, 3), (2, 3), (3, 0)]);
}

/// Neither to the same subscription nor to another.
pub async fn an_acknowledged_batch_never_comes_back(engine: &dyn Engine) {
    let queue = engine.open().await;
    publish(&*queue, 1..=3).await;
    let mut subscription = queue.subscribe();
    next(&mut subscription, &whole(3)).await.ack().await.unwrap();
    publish(&*queue, [4]).await;
    assert_eq!(take_all(&mut subscription, 1).await, [(4, 0)]);
    drop(subscription);
    let queue = queue.cut_off().await;
    publish(&*queue, [5]).await;
    assert_eq!(take_all(&mut queue.subscribe(), 1).await, [(5, 0)]);
}

/// An acknowledgement is for its own batch, whatever was taken before it or after.
pub async fn batches_are_settled_each_by_itself_in_any_order(engine: &dyn Engine) {
    let queue = engine.open().await;
    publish(&*queue, 1..=6).await;
    let mut subscription = queue.subscribe();
    let first = next(&mut subscription, &whole(2)).await;
    let second = next(&mut subscription, &whole(2)).await;
    let third = next(&mut subscription, &whole(2)).await;
    third.ack().await.unwrap();
    drop(first);
    let mut back = next(&mut subscription, &whole(2)).await;
    let mut found = numbers(&back);
    found.sort_unstable();
    assert_eq!(found, [(1, 1), (2, 1)]);
    second.ack().await.unwrap();
    back.ack().await.unwrap();
    publish(&*queue, [7]).await;
    back = next(&mut subscription, &limits(10)).await;
    assert_eq!(numbers(&back), [(7, 0)]);
}

/// As when a consumer dies, or its connection does.
pub async fn a_batch_that_is_out_when_all_are_cut_off_comes_again_and_its_acknowledgement_is_stale(
    engine: &dyn Engine,
) {
    let queue = engine.open().await;
    publish(&*queue, 1..=2).await;
    let mut subscription = queue.subscribe();
    let out = next(&mut subscription, &whole(2)).await;
    let queue = queue.cut_off().await;
    out.ack().await.unwrap_err();
    drop(subscription);
    let mut taken = take_all(&mut queue.subscribe(), 2).await;
    taken.sort_unstable();
    assert_eq!(taken, [(1, 1), (2, 1)]);
}
