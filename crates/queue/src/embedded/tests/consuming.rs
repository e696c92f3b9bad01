//! The way out: batches, acknowledgements, what comes back and how often it was out.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{HeldUp, Scene, in_batches_of_bytes, publish, take_all};
use crate::testing::{limits, numbers, polled_once, webhook};
use crate::{BatchLimits, Content, Message};

#[tokio::test]
async fn a_batch_holds_as_many_messages_as_it_may() {
    let scene = Scene::new();
    let queue = scene.open();
    publish(&queue, 1..=5).await;
    let mut subscription = queue.subscribe();
    let first = subscription.next_batch(&limits(3)).await.expect("open");
    let second = subscription.next_batch(&limits(3)).await.expect("open");
    assert_eq!(numbers(&first), [(1, 0), (2, 0), (3, 0)]);
    assert_eq!(numbers(&second), [(4, 0), (5, 0)]);
}

#[tokio::test]
async fn a_batch_holds_as_many_bytes_as_it_may_and_one_that_is_too_large_goes_alone() {
    let scene = Scene::new();
    let queue = scene.open();
    publish(&queue, 1..=4).await;
    let size = webhook(1).size_bytes();
    let mut subscription = queue.subscribe();
    let two = subscription.next_batch(&in_batches_of_bytes(3 * size - 1)).await.expect("open");
    assert_eq!(numbers(&two), [(1, 0), (2, 0)]);
    let alone = subscription.next_batch(&in_batches_of_bytes(1)).await.expect("open");
    assert_eq!(numbers(&alone), [(3, 0)]);
}

#[tokio::test]
async fn what_waits_is_handed_out_after_the_linger_and_a_full_batch_at_once() {
    let scene = Scene::new();
    let queue = scene.open();
    let mut subscription = queue.subscribe();
    publish(&queue, 1..=2).await;
    let patient = BatchLimits { linger: Duration::from_hours(1), ..limits(2) };
    assert_eq!(numbers(&subscription.next_batch(&patient).await.expect("open")).len(), 2);
    let short = BatchLimits { linger: Duration::from_millis(1), ..limits(1000) };
    assert_eq!(take_all(&queue, 2).await.len(), 2, "the dropped batch came back");
    publish(&queue, 3..=3).await;
    assert_eq!(numbers(&subscription.next_batch(&short).await.expect("open")), [(3, 0)]);
}

#[tokio::test]
async fn a_waiting_subscription_is_woken_by_a_publish() {
    let scene = Scene::new();
    let queue = scene.open();
    let mut subscription = queue.subscribe();
    let limits = limits(10);
    let mut next = Box::pin(subscription.next_batch(&limits));
    assert!(polled_once(&mut next).await.is_none());
    publish(&queue, [1]).await;
    assert_eq!(numbers(&next.await.expect("open")), [(1, 0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_never_share_a_message() {
    let scene = Scene::new();
    let queue = scene.open();
    let (sender, mut taken) = tokio::sync::mpsc::channel(10);
    for _ in 0..4 {
        let mut subscription = queue.subscribe();
        let sender = sender.clone();
        tokio::spawn(async move {
            while let Some(batch) = subscription.next_batch(&limits(7)).await {
                let taken = numbers(&batch);
                batch.ack().await.expect("acknowledged");
                sender.send(taken).await.ok();
            }
        });
    }
    publish(&queue, 0..200).await;
    let mut seen = Vec::new();
    while seen.len() < 200 {
        seen.extend(taken.recv().await.expect("more to come").into_iter().map(|(n, _)| n));
    }
    assert_eq!(seen.iter().copied().collect::<BTreeSet<_>>(), (0..200).collect());
    queue.close().await;
    assert_eq!(scene.rows(), 0);
    assert_eq!(taken.try_recv().ok(), None);
}

#[tokio::test]
async fn a_dropped_batch_comes_back_first_with_its_attempt_counted() {
    let scene = Scene::new();
    let queue = scene.open();
    publish(&queue, 1..=3).await;
    let mut subscription = queue.subscribe();
    for attempts in 0..3 {
        let batch = subscription.next_batch(&limits(2)).await.expect("open");
        assert_eq!(numbers(&batch), [(1, attempts), (2, attempts)]);
    }
    assert_eq!(take_all(&queue, 3).await, [(1, 3), (2, 3), (3, 0)]);
    queue.close().await;
    assert_eq!(scene.rows(), 0);
}

#[tokio::test]
async fn a_batch_that_came_back_can_be_taken_in_parts_and_each_part_keeps_its_count() {
    let scene = Scene::new();
    let queue = scene.open();
    publish(&queue, 1..=4).await;
    let mut subscription = queue.subscribe();
    drop(subscription.next_batch(&limits(4)).await.expect("open"));
    let one = subscription.next_batch(&limits(1)).await.expect("open");
    assert_eq!(numbers(&one), [(1, 1)]);
    let two = subscription.next_batch(&limits(1)).await.expect("open");
    assert_eq!(numbers(&two), [(2, 1)]);
    two.ack().await.expect("acknowledged");
    drop(one);
    // A restart finds the same counts in the journal as memory had.
    queue.close().await;
    assert_eq!(take_all(&scene.open(), 3).await, [(1, 2), (3, 1), (4, 1)]);
}

#[tokio::test]
async fn a_batch_that_is_out_at_a_restart_comes_back_with_its_attempt_counted() {
    let scene = Scene::new();
    let queue = scene.open();
    publish(&queue, 1..=2).await;
    let batch = queue.subscribe().next_batch(&limits(1)).await.expect("open");
    queue.close().await;
    let stale = batch.ack().await.expect_err("too late");
    assert!(stale.to_string().contains("closed"), "{stale}");
    assert_eq!(take_all(&scene.open(), 2).await, [(1, 1), (2, 0)]);
}

#[tokio::test]
async fn a_call_given_up_half_way_loses_nothing_and_counts_no_attempt() {
    let scene = Scene::new();
    let queue = scene.open();
    publish(&queue, 0..100).await;
    let mut subscription = queue.subscribe();
    // A call has a handful of places where it waits; each is given up at each of them, over and over.
    for polls in (1..8).cycle().take(70) {
        let limits = limits(3);
        let mut next = Box::pin(subscription.next_batch(&limits));
        for _ in 0..polls {
            if let Some(batch) = polled_once(&mut next).await {
                batch.expect("open").ack().await.expect("acknowledged");
                break;
            }
            tokio::task::spawn_blocking(|| {}).await.expect("a moment for the other threads");
        }
    }
    let left = queue.depth().messages as usize;
    let taken = take_all(&queue, left).await;
    assert!(taken.iter().all(|(_, attempts)| *attempts == 0), "{taken:?}");
    assert_eq!((queue.depth().messages, scene.rows()), (0, 0));
}

#[tokio::test]
async fn an_acknowledgement_given_up_half_way_leaves_the_books_right() {
    let scene = Scene::new();
    let queue = scene.open();
    publish(&queue, 1..=2).await;
    let batch = queue.subscribe().next_batch(&limits(1)).await.expect("open");
    let held_up = HeldUp::new(&queue).await;
    let mut ack = Box::pin(batch.ack());
    assert!(polled_once(&mut ack).await.is_none());
    drop(ack);
    drop(held_up);
    publish(&queue, [3]).await;
    assert_eq!((queue.depth().messages, scene.rows()), (2, 2));
    assert_eq!(take_all(&queue, 2).await, [(2, 0), (3, 0)]);
}

#[tokio::test]
async fn closing_ends_waiting_subscriptions() {
    let scene = Scene::new();
    let queue = scene.open();
    let mut subscription = queue.subscribe();
    let waiting = tokio::spawn(async move { subscription.next_batch(&limits(1)).await.is_none() });
    tokio::task::yield_now().await;
    queue.close().await;
    assert!(waiting.await.expect("it ends"));
}

#[tokio::test]
async fn the_file_is_free_when_the_last_of_them_all_has_dropped() {
    let scene = Scene::new();
    let queue = scene.open();
    let (publisher, mut subscription) = (queue.publisher(), queue.subscribe());
    drop(queue);
    publisher.publish(webhook(1)).await.expect("kept");
    drop(publisher);
    let batch = subscription.next_batch(&limits(1)).await.expect("open");
    drop(subscription);
    batch.ack().await.expect("acknowledged");
    assert_eq!(scene.open().depth().messages, 0);
}

#[tokio::test]
async fn a_row_that_no_one_here_wrote_is_handed_out_as_foreign() {
    let scene = Scene::new();
    let queue = scene.open();
    queue
        .engine
        .write(|connection| {
            connection.execute("INSERT INTO messages VALUES (1, 0, 10, 0, x'ff00')", [])?;
            Ok(())
        })
        .await
        .expect("written");
    queue.close().await;
    let queue = scene.open();
    let batch = queue.subscribe().next_batch(&limits(1)).await.expect("open");
    let content = &batch.deliveries()[0].content;
    assert!(matches!(content, Content::Foreign { bytes, reason } if bytes[..] == [0xff, 0] && reason.contains("255")));
}

#[tokio::test]
async fn a_queue_that_was_long_gives_the_disk_back_when_it_is_empty() {
    let scene = Scene::new();
    let queue = scene.open();
    let Message::Webhook(mut large) = webhook(1) else { panic!("a webhook") };
    large.body = vec![b'x'; 1024 * 1024].into();
    for _ in 0..80 {
        queue.publisher().publish(Message::Webhook(large.clone())).await.expect("kept");
    }
    let size = || std::fs::metadata(scene.path().join("queue.db")).expect("there").len();
    assert!(size() > 64 * 1024 * 1024);
    take_all(&queue, 80).await;
    publish(&queue, [2]).await;
    assert!(size() < 1024 * 1024, "{}", size());
    assert_eq!(take_all(&queue, 1).await, [(2, 0)]);
}
