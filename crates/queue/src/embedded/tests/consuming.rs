//! The way out: what is out, what comes back and in which parts, and what of it is in the file.

use super::{HeldUp, Scene, publish, take_all};
use crate::testing::{limits, numbers, polled_once, webhook};
use crate::{Content, Message};

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
async fn a_batch_that_is_out_when_the_queue_is_closed_says_so_and_only_its_attempt_counts() {
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
