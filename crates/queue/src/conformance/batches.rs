//! The way out: how much a batch holds, how long it is waited for, and who gets it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Engine, PATIENCE, next, publish, take_all, whole};
use crate::BatchLimits;
use crate::testing::{limits, numbers, polled_once, webhook};

/// What is left begins the next batch.
pub async fn a_batch_holds_as_many_messages_as_it_may(engine: &dyn Engine) {
    let queue = engine.open().await;
    publish(&*queue, 1..=5).await;
    let mut subscription = queue.subscribe();
    let first = next(&mut subscription, &whole(3)).await;
    let second = next(&mut subscription, &whole(2)).await;
    assert_eq!(numbers(&first), [(1, 0), (2, 0), (3, 0)]);
    assert_eq!(numbers(&second), [(4, 0), (5, 0)]);
}

/// A limit on bytes is what bounds a consumer's memory.
pub async fn a_batch_holds_as_many_bytes_as_it_may_and_one_that_is_too_large_goes_alone(engine: &dyn Engine) {
    let queue = engine.open().await;
    publish(&*queue, 1..=5).await;
    let size = webhook(1).size_bytes();
    let bytes = |bytes_max| BatchLimits { bytes_max, ..whole(100) };
    let mut subscription = queue.subscribe();
    let two = next(&mut subscription, &bytes(3 * size - 1)).await;
    assert_eq!(numbers(&two), [(1, 0), (2, 0)]);
    let alone = next(&mut subscription, &bytes(1)).await;
    assert_eq!(numbers(&alone), [(3, 0)]);
    drop((two, alone));
    let rest = next(&mut subscription, &bytes(2 * size)).await;
    assert_eq!(rest.deliveries().len(), 2);
}

/// A batch is worth a short wait, and no longer.
pub async fn a_full_batch_is_handed_out_at_once_and_another_after_the_linger(engine: &dyn Engine) {
    let queue = engine.open().await;
    publish(&*queue, 1..=3).await;
    let mut subscription = queue.subscribe();
    let patient = BatchLimits { linger: Duration::from_hours(1), ..limits(2) };
    assert_eq!(numbers(&next(&mut subscription, &patient).await).len(), 2);
    let short = BatchLimits { linger: Duration::from_millis(1), ..limits(1000) };
    assert!(!numbers(&next(&mut subscription, &short).await).is_empty());
}

/// Nobody looks again and again.
pub async fn a_waiting_subscription_is_woken_by_a_publish(engine: &dyn Engine) {
    let queue = engine.open().await;
    let mut subscription = queue.subscribe();
    let limits = limits(10);
    let mut waiting = Box::pin(subscription.next_batch(&limits));
    assert!(polled_once(&mut waiting).await.is_none());
    publish(&*queue, [1]).await;
    let batch = tokio::time::timeout(PATIENCE, waiting).await.expect("it is woken").expect("the queue is open");
    assert_eq!(numbers(&batch), [(1, 0)]);
}

/// Consumers scale by starting more of them.
pub async fn subscriptions_never_share_a_message(engine: &dyn Engine) {
    let queue = engine.open().await;
    let (sender, mut taken) = tokio::sync::mpsc::channel(10);
    for _ in 0..4 {
        let mut subscription = queue.subscribe();
        let sender = sender.clone();
        tokio::spawn(async move {
            while let Some(batch) = subscription.next_batch(&limits(7)).await {
                let numbers = numbers(&batch);
                batch.ack().await.unwrap();
                if sender.send(numbers).await.is_err() {
                    return;
                }
            }
        });
    }
    drop(sender);
    publish(&*queue, 0..200).await;
    let mut seen = Vec::new();
    while seen.len() < 200 {
        let batch = tokio::time::timeout(PATIENCE, taken.recv()).await.expect("more to come").unwrap();
        seen.extend(batch.into_iter().map(|(number, _)| number));
    }
    assert_eq!(seen.len(), 200, "a message came twice: {seen:?}");
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), (0..200).collect());
}

/// A consumer looks at other things meanwhile.
pub async fn a_call_given_up_half_way_loses_nothing_and_counts_no_attempt(engine: &dyn Engine) {
    let queue = engine.open().await;
    publish(&*queue, 0..100).await;
    let mut subscription = queue.subscribe();
    // Before it has one, a call would be given up while the subscription is still on its way to the queue.
    let first = next(&mut subscription, &whole(1)).await;
    let mut taken = numbers(&first);
    first.ack().await.unwrap();
    // A call has a handful of places where it waits; each is given up at each of them, over and over.
    for polls in (1..8).cycle().take(70) {
        let limits = limits(3);
        let mut half_way = Box::pin(subscription.next_batch(&limits));
        for _ in 0..polls {
            if let Some(batch) = polled_once(&mut half_way).await {
                let batch = batch.expect("the queue is open");
                taken.extend(numbers(&batch));
                batch.ack().await.unwrap();
                break;
            }
            tokio::task::spawn_blocking(|| {}).await.expect("a moment for the other threads");
        }
    }
    assert!(taken.len() > 1, "each call was given up, and none had a batch");
    let left = 100 - taken.len();
    taken.extend(take_all(&mut subscription, left).await);
    taken.sort_unstable();
    assert_eq!(taken, (0..100).map(|number| (number, 0)).collect::<Vec<_>>());
}
