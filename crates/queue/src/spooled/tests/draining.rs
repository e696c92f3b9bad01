//! From the spool to the broker: nothing lost, nothing in anybody's way, no storm.

use super::broker::Manner;
use super::{Scene, emptied, eventually, is_ready, publish};
use crate::testing::webhook;
use crate::{PublishError, QueueState, SpoolSettings};

#[tokio::test]
async fn what_was_spooled_is_drained_after_a_restart() {
    let scene = Scene::new(QueueState::Starting);
    let spooled = scene.open();
    publish(&spooled, 1..=5).await;
    spooled.close().await;
    scene.broker.becomes(QueueState::Ready);
    let spooled = scene.open();
    emptied(&spooled).await;
    assert_eq!(scene.broker.taken(), [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_failure_stops_the_pass_and_the_next_begins_at_the_front() {
    let scene = Scene::new(QueueState::Starting);
    let spooled = scene.open_with(&SpoolSettings { drain_in_flight_max: 1, ..scene.settings() });
    publish(&spooled, 1..=20).await;
    scene.broker.behaves(Manner::Fail(PublishError::Full("rejected".to_owned())));
    scene.broker.becomes(QueueState::Ready);
    scene.broker.asked_so_often(2).await;
    assert_eq!(spooled.depth().messages, 20);
    scene.broker.behaves(Manner::Accept);
    emptied(&spooled).await;
    assert_eq!(scene.broker.taken(), (1..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_message_that_the_broker_refuses_holds_up_nobody() {
    let scene = Scene::new(QueueState::Starting);
    let spooled = scene.open();
    publish(&spooled, 1..=20).await;
    scene.broker.behaves(Manner::RefuseOne(3));
    scene.broker.becomes(QueueState::Ready);
    eventually("one is left", || spooled.depth().messages == 1).await;
    let others: Vec<_> = (1..=20).filter(|n| *n != 3).collect();
    assert_eq!(scene.broker.taken(), others);
    scene.broker.behaves(Manner::Accept);
    emptied(&spooled).await;
    assert_eq!(scene.broker.taken().last(), Some(&3));
}

#[tokio::test]
async fn when_rows_cannot_be_removed_nothing_more_is_sent() {
    let scene = Scene::new(QueueState::Starting);
    let spooled = scene.open();
    publish(&spooled, 1..=3).await;
    let spool = spooled.shared.core.spool.clone();
    let stuck = "CREATE TRIGGER stuck BEFORE DELETE ON messages BEGIN SELECT RAISE(ABORT, 'disk failure'); END";
    spool.write(move |connection| connection.execute_batch(stuck)).await.expect("set up");
    let mut disk = spool.state();
    scene.broker.becomes(QueueState::Ready);
    for _ in 0..3 {
        // Each attempt to remove them fails, and the spool's probe finds in between that writing works.
        disk.wait_for(|state| matches!(state, QueueState::Down(_))).await.expect("open");
        disk.wait_for(|state| *state == QueueState::Ready).await.expect("open");
    }
    assert_eq!((scene.broker.taken(), scene.broker.asked()), (vec![1, 2, 3], 3));
    spool.write(|connection| connection.execute_batch("DROP TRIGGER stuck")).await.expect("repaired");
    emptied(&spooled).await;
    assert_eq!(scene.broker.asked(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_accepted_is_lost_whatever_the_broker_does_meanwhile() {
    let scene = Scene::new(QueueState::Starting);
    let spooled = scene.open();
    let manners = [
        (QueueState::Ready, Manner::Accept),
        (QueueState::Ready, Manner::Fail(PublishError::Full("rejected".to_owned()))),
        (QueueState::Down("restarts".to_owned()), Manner::Accept),
        (QueueState::Ready, Manner::RefuseOne(17)),
        (QueueState::Ready, Manner::Fail(PublishError::OutcomeUnknown("reset".to_owned()))),
    ];
    for (round, (state, manner)) in (0u64..).zip(manners.iter().cycle().take(20)) {
        scene.broker.behaves(manner.clone());
        scene.broker.becomes(state.clone());
        let publishes = (round * 50..round * 50 + 50).map(|n| {
            let publisher = spooled.publisher();
            tokio::spawn(async move { publisher.publish(webhook(n)).await })
        });
        for publish in publishes.collect::<Vec<_>>() {
            publish.await.expect("it ends").expect("it is kept");
        }
    }
    scene.broker.behaves(Manner::Accept);
    scene.broker.becomes(QueueState::Ready);
    emptied(&spooled).await;
    is_ready(&spooled).await;
    let mut taken = scene.broker.taken();
    taken.sort_unstable();
    assert_eq!(taken, (0..1000).collect::<Vec<_>>(), "each once: this broker never took what it said it had not");
}
