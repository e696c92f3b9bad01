//! The way in: the broker where it works, the spool where it does not, an error only where neither does.

use std::time::Duration;

use super::broker::Manner;
use super::{Scene, emptied, eventually, is_degraded, is_ready, publish};
use crate::embedded::EmbeddedQueue;
use crate::testing::webhook;
use crate::{PublishError, QueueState, Settings, SpoolSettings};

fn away() -> QueueState {
    QueueState::Down("connection refused".to_owned())
}

#[tokio::test]
async fn a_broker_that_works_gets_everything_and_the_spool_stays_empty() {
    let scene = Scene::new(QueueState::Ready);
    let spooled = scene.open();
    publish(&spooled, 1..=3).await;
    assert_eq!(scene.broker.taken(), [1, 2, 3]);
    assert_eq!((spooled.depth().messages, scene.broker.asked()), (0, 3));
    assert_eq!(*spooled.state().borrow(), QueueState::Ready);
}

#[tokio::test]
async fn it_starts_and_accepts_without_any_broker_and_drains_in_order_once_there_is_one() {
    let scene = Scene::new(QueueState::Starting);
    let spooled = scene.open();
    assert!(matches!(&*spooled.state().borrow(), QueueState::Degraded(_)));
    publish(&spooled, 1..=100).await;
    assert_eq!((spooled.depth().messages, scene.broker.asked()), (100, 0));
    scene.broker.becomes(QueueState::Ready);
    emptied(&spooled).await;
    is_ready(&spooled).await;
    assert_eq!(scene.broker.taken(), (1..=100).collect::<Vec<_>>());
}

#[tokio::test]
async fn whatever_befalls_a_message_at_the_broker_it_is_kept() {
    for error in [
        PublishError::Full("rejected".to_owned()),
        PublishError::Unavailable("connection lost".to_owned()),
        PublishError::OutcomeUnknown("connection lost".to_owned()),
    ] {
        let scene = Scene::new(QueueState::Ready);
        let spooled = scene.open();
        scene.broker.behaves(Manner::Fail(error.clone()));
        publish(&spooled, [1]).await;
        assert_eq!(spooled.depth().messages, 1, "{error}");
        assert_eq!(scene.broker.taken(), [0; 0], "{error}");
        scene.broker.behaves(Manner::Accept);
        emptied(&spooled).await;
        assert_eq!(scene.broker.taken(), [1], "{error}");
    }
}

#[tokio::test]
async fn what_the_broker_refuses_for_what_it_is_is_refused_and_not_spooled() {
    let scene = Scene::new(QueueState::Ready);
    let spooled = scene.open();
    scene.broker.behaves(Manner::RefuseOne(2));
    let refused = spooled.publisher().publish(webhook(2)).await;
    assert!(matches!(refused, Err(PublishError::Refused(_))), "{refused:?}");
    publish(&spooled, [1, 3]).await;
    assert_eq!((spooled.depth().messages, scene.broker.taken()), (0, vec![1, 3]));
    assert_eq!(*spooled.state().borrow(), QueueState::Ready);
}

#[tokio::test]
async fn nobody_asks_a_broker_that_is_known_to_be_away() {
    let scene = Scene::new(away());
    let spooled = scene.open();
    publish(&spooled, 1..=10).await;
    assert_eq!(scene.broker.asked(), 0);
    assert!(matches!(&*spooled.state().borrow(), QueueState::Degraded(why) if why == "connection refused"));
}

fn impatient(scene: &Scene) -> SpoolSettings {
    SpoolSettings { broker_timeout: Duration::from_millis(5), ..scene.settings() }
}

#[tokio::test]
async fn a_silent_broker_is_waited_for_once_and_its_late_confirmation_takes_the_message_out_of_the_spool() {
    let scene = Scene::new(QueueState::Ready);
    let spooled = scene.open_with(&impatient(&scene));
    scene.broker.behaves(Manner::Silent);
    publish(&spooled, [1]).await;
    is_degraded(&spooled).await;
    // These go to the spool at once; the drain tries them, and is the only one to do so.
    publish(&spooled, 2..=3).await;
    scene.broker.asked_so_often(2).await;
    scene.broker.behaves(Manner::Accept);
    scene.broker.speak(Ok(()));
    emptied(&spooled).await;
    is_ready(&spooled).await;
    let mut taken = scene.broker.taken();
    taken.sort_unstable();
    assert_eq!(taken, [1, 2, 3], "nothing is sent twice");
    assert_eq!(scene.broker.asked(), 3);
}

#[tokio::test]
async fn a_silent_broker_that_fails_in_the_end_gets_the_message_again() {
    let scene = Scene::new(QueueState::Ready);
    let spooled = scene.open_with(&impatient(&scene));
    scene.broker.behaves(Manner::Silent);
    publish(&spooled, [1]).await;
    scene.broker.behaves(Manner::Accept);
    scene.broker.speak(Err(PublishError::OutcomeUnknown("connection lost".to_owned())));
    emptied(&spooled).await;
    assert_eq!((scene.broker.taken(), scene.broker.asked()), (vec![1], 2));
}

#[tokio::test]
async fn a_full_spool_says_so_and_the_state_says_that_neither_works() {
    let scene = Scene::new(away());
    let bytes_max = 2 * webhook(1).size_bytes() as u64;
    let spooled = scene.open_with(&SpoolSettings { bytes_max, ..scene.settings() });
    publish(&spooled, 1..=2).await;
    let refused = spooled.publisher().publish(webhook(3)).await;
    assert!(matches!(refused, Err(PublishError::Full(_))), "{refused:?}");
    spooled.state().wait_for(|state| matches!(state, QueueState::Down(_))).await.expect("open");
    scene.broker.becomes(QueueState::Ready);
    emptied(&spooled).await;
    assert_eq!(scene.broker.taken(), [1, 2]);
}

#[tokio::test]
async fn the_reserve_of_the_disk_is_left_alone() {
    let scene = Scene::new(away());
    let spooled = scene.open_with(&SpoolSettings { reserve_bytes: u64::MAX, ..scene.settings() });
    let refused = spooled.publisher().publish(webhook(1)).await;
    assert!(matches!(&refused, Err(PublishError::Full(why)) if why.contains("reserved")), "{refused:?}");
    assert!(matches!(&*spooled.state().borrow(), QueueState::Down(_)));
}

#[tokio::test]
async fn a_broker_in_doubt_is_better_than_a_full_spool() {
    let scene = Scene::new(QueueState::Ready);
    let bytes_max = webhook(1).size_bytes() as u64;
    let spooled = scene.open_with(&SpoolSettings { bytes_max, ..scene.settings() });
    scene.broker.behaves(Manner::Fail(PublishError::Full("rejected".to_owned())));
    publish(&spooled, [1]).await;
    let refused = spooled.publisher().publish(webhook(2)).await;
    assert!(matches!(refused, Err(PublishError::Full(_))), "{refused:?}");
    scene.broker.behaves(Manner::RefuseOne(1));
    publish(&spooled, [2]).await;
    assert_eq!(scene.broker.taken(), [2]);
}

#[tokio::test]
async fn a_doubt_does_not_outlive_the_spool_that_could_not_take_the_message_either() {
    let scene = Scene::new(QueueState::Ready);
    let spooled = scene.open_with(&SpoolSettings { reserve_bytes: u64::MAX, ..scene.settings() });
    scene.broker.behaves(Manner::Fail(PublishError::Unavailable("reset".to_owned())));
    assert!(spooled.publisher().publish(webhook(1)).await.is_err());
    is_ready(&spooled).await;
}

#[tokio::test]
async fn an_outcome_that_the_broker_left_open_is_not_called_a_failure() {
    let scene = Scene::new(QueueState::Ready);
    let spooled = scene.open_with(&SpoolSettings { reserve_bytes: u64::MAX, ..impatient(&scene) });
    scene.broker.behaves(Manner::Silent);
    let outcome = spooled.publisher().publish(webhook(1)).await;
    assert!(matches!(outcome, Err(PublishError::OutcomeUnknown(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_closed_spool_takes_nothing() {
    let scene = Scene::new(QueueState::Ready);
    let spooled = scene.open();
    let publisher = spooled.publisher();
    spooled.close().await;
    assert!(matches!(publisher.publish(webhook(1)).await, Err(PublishError::Unavailable(_))));
    assert!(!publisher.state().borrow().can_persist());
}

#[tokio::test]
async fn the_file_is_free_when_the_last_publisher_has_dropped() {
    let scene = Scene::new(away());
    let spooled = scene.open();
    let publisher = spooled.publisher();
    drop(spooled);
    publisher.publish(webhook(1)).await.expect("kept");
    drop(publisher);
    let settings = Settings { folder: scene.settings().folder.join("0"), ..Settings::default() };
    let mut queue = None;
    eventually("the lock is free", || {
        queue = EmbeddedQueue::open(&settings).ok();
        queue.is_some()
    })
    .await;
    assert_eq!(queue.expect("open").depth().messages, 1);
}

#[tokio::test]
async fn the_metrics_tell_of_the_spool_and_of_the_broker() {
    let scene = Scene::new(away());
    let spooled = scene.open();
    publish(&spooled, 1..=2).await;
    let size = webhook(1).size_bytes() as i64;
    eventually("two messages are counted", || scene.metric("finlinkd_spool_messages") == 2).await;
    assert_eq!(scene.metric("finlinkd_spool_bytes"), 2 * size);
    assert!(scene.metric("finlinkd_spool_oldest_age_seconds") > 0);
    assert_eq!(scene.metric("finlinkd_broker_connected"), 0);
    scene.broker.becomes(QueueState::Ready);
    eventually("the broker is seen", || scene.metric("finlinkd_broker_connected") == 1).await;
    eventually("the spool is seen to be empty", || scene.metric("finlinkd_spool_messages") == 0).await;
    assert_eq!(scene.metric("finlinkd_spool_oldest_age_seconds"), 0);
}

#[tokio::test]
async fn the_metrics_tell_how_much_more_the_spool_takes() {
    let scene = Scene::new(away());
    let size = webhook(1).size_bytes() as u64;
    let spooled = scene.open_with(&SpoolSettings { bytes_max: 3 * size, ..scene.settings() });
    publish(&spooled, 1..=2).await;
    eventually("one more is seen to fit", || scene.metric("finlinkd_spool_room_bytes") == size as i64).await;
    drop(spooled);

    let scene = Scene::new(away());
    let spooled = scene.open_with(&SpoolSettings { reserve_bytes: u64::MAX, ..scene.settings() });
    eventually("the spool was looked at", || scene.metric("finlinkd_spool_oldest_age_seconds") == 0).await;
    assert_eq!(scene.metric("finlinkd_spool_room_bytes"), 0);
    drop(spooled);
}
