//! The way in: durable when it returns, bounded, honest about what it does not know.

use std::time::Duration;

use super::{HeldUp, Scene, limit_disk, publish, take_all};
use crate::embedded::EmbeddedQueue;
use crate::testing::{limits, polled_once, webhook};
use crate::{Message, Metrics, PublishError, QueueState, Settings};

#[tokio::test]
async fn a_message_is_in_the_file_when_publish_returns() {
    let scene = Scene::new();
    let queue = scene.open();
    publish(&queue, [1]).await;
    assert_eq!(scene.rows(), 1);
}

#[tokio::test]
async fn the_limit_on_bytes_is_exact_and_room_comes_back_with_the_acknowledgement() {
    let scene = Scene::new();
    let queue = scene.open_with_room_for(3);
    publish(&queue, 1..=3).await;
    let refused = queue.publisher().publish(webhook(4)).await;
    assert!(matches!(refused, Err(PublishError::Full(_))), "{refused:?}");
    // The restart counts what is there.
    queue.close().await;
    let queue = scene.open_with_room_for(3);
    let refused = queue.publisher().publish(webhook(4)).await;
    assert!(matches!(refused, Err(PublishError::Full(_))), "{refused:?}");
    assert_eq!(take_all(&queue, 3).await, [(1, 0), (2, 0), (3, 0)]);
    publish(&queue, 5..=7).await;
}

#[tokio::test]
async fn concurrent_publishes_never_pass_the_limit_together() {
    let scene = Scene::new();
    let queue = scene.open_with_room_for(9);
    let publishes = (10..60).map(|n| {
        let publisher = queue.publisher();
        tokio::spawn(async move { publisher.publish(webhook(n)).await })
    });
    let mut kept = 0;
    for publish in publishes.collect::<Vec<_>>() {
        match publish.await.expect("the task ends") {
            Ok(()) => kept += 1,
            Err(error) => assert!(matches!(error, PublishError::Full(_)), "{error}"),
        }
    }
    // Numbers of two digits are one byte longer than those that the room was measured with.
    assert_eq!((kept, scene.rows()), (8, 8));
}

#[tokio::test]
async fn a_message_larger_than_the_whole_queue_is_refused_for_good() {
    let scene = Scene::new();
    let queue = EmbeddedQueue::open(&Settings { bytes_max: 300, ..scene.settings() }).expect("it opens");
    let refused = queue.publisher().publish(webhook(1)).await;
    assert!(matches!(refused, Err(PublishError::Refused(_))), "{refused:?}");
}

#[tokio::test]
async fn the_books_follow_the_file_also_when_publishers_go_away() {
    let scene = Scene::new();
    let queue = scene.open();
    let publisher = queue.publisher();
    let held_up = HeldUp::new(&queue).await;
    for n in 0..50 {
        let mut publish = Box::pin(publisher.publish(webhook(n)));
        assert!(polled_once(&mut publish).await.is_none());
    }
    drop(held_up);
    publish(&queue, [50]).await;
    assert_eq!((queue.depth().messages, scene.rows()), (51, 51));
    let room = queue.engine.shared.room_bytes();
    assert_eq!(room + queue.depth().bytes, scene.settings().bytes_max, "nothing stays reserved");
}

#[tokio::test]
async fn a_publish_that_the_disk_does_not_finish_in_time_has_an_unknown_outcome() {
    let scene = Scene::new();
    let settings = Settings { publish_timeout: Duration::from_millis(5), ..scene.settings() };
    let queue = EmbeddedQueue::open(&settings).expect("it opens");
    let held_up = HeldUp::new(&queue).await;
    let outcome = queue.publisher().publish(webhook(1)).await;
    assert!(matches!(outcome, Err(PublishError::OutcomeUnknown(_))), "{outcome:?}");
    drop(held_up);
    assert_eq!(take_all(&queue, 1).await, [(1, 0)]);
}

#[tokio::test]
async fn publishes_wait_at_the_door_and_nothing_of_them_is_kept_when_they_give_up_there() {
    let scene = Scene::new();
    let settings =
        Settings { publish_timeout: Duration::from_millis(5), publishes_in_flight_max: 1, ..scene.settings() };
    let queue = EmbeddedQueue::open(&settings).expect("it opens");
    let held_up = HeldUp::new(&queue).await;
    let publisher = queue.publisher();
    let mut inside = Box::pin(publisher.publish(webhook(1)));
    assert!(polled_once(&mut inside).await.is_none());
    let outcome = publisher.publish(webhook(2)).await;
    assert!(matches!(outcome, Err(PublishError::Unavailable(_))), "{outcome:?}");
    drop(held_up);
    assert_eq!(take_all(&queue, 1).await, [(1, 0)]);
    assert_eq!(queue.depth().messages, 0);
}

#[tokio::test]
async fn a_full_disk_is_said_and_forgotten_when_there_is_room_again() {
    let scene = Scene::new();
    let queue = scene.open();
    let mut state = queue.state();
    publish(&queue, [1]).await;
    limit_disk(&queue.engine, Some(4)).await;
    let Message::Webhook(mut large) = webhook(2) else { panic!("a webhook") };
    large.body = vec![0; 100_000].into();
    let outcome = queue.publisher().publish(Message::Webhook(large.clone())).await;
    assert!(matches!(outcome, Err(PublishError::Unavailable(_))), "{outcome:?}");
    assert!(matches!(&*state.borrow(), QueueState::Down(_)));
    state.wait_for(|state| *state == QueueState::Ready).await.expect("the probe finds that small writes work");
    limit_disk(&queue.engine, None).await;
    queue.publisher().publish(Message::Webhook(large)).await.expect("there is room again");
    assert_eq!(take_all(&queue, 2).await, [(1, 0), (2, 0)]);
}

#[tokio::test]
async fn publishing_to_a_closed_queue_says_so() {
    let scene = Scene::new();
    let queue = scene.open();
    let publisher = queue.publisher();
    queue.close().await;
    assert!(matches!(publisher.publish(webhook(1)).await, Err(PublishError::Unavailable(_))));
    assert!(!publisher.state().borrow().can_persist());
}

#[tokio::test]
async fn the_depth_knows_the_oldest() {
    let scene = Scene::new();
    let queue = scene.open();
    assert_eq!(queue.depth().oldest_at, None);
    publish(&queue, [3, 4]).await;
    let oldest = |queue: &EmbeddedQueue| queue.depth().oldest_at.map(|at| at.0);
    assert_eq!(oldest(&queue), Some(1_000_003));
    let mut subscription = queue.subscribe();
    subscription.next_batch(&limits(1)).await.expect("open").ack().await.expect("acknowledged");
    assert_eq!(oldest(&queue), Some(1_000_004));
    subscription.next_batch(&limits(1)).await.expect("open").ack().await.expect("acknowledged");
    assert_eq!(oldest(&queue), None);
}

#[tokio::test]
async fn a_measured_publisher_counts_what_became_durable() {
    let scene = Scene::new();
    let queue = scene.open_with_room_for(1);
    let registry = prometheus::Registry::new();
    let metrics = Metrics::register(&registry).expect("registered once");
    let publisher = queue.publisher().with_metrics(&metrics);
    publisher.publish(webhook(1)).await.expect("kept");
    publisher.publish(webhook(2)).await.expect_err("full");
    assert_eq!(metrics.confirm_duration.get_sample_count(), 1);
}
