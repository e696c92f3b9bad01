//! The end: unready, still accepting for the grace, no request cut, the books closed, the queue let go.

use std::sync::Arc;
use std::time::Duration;

use events::SequenceRange;
use ingress::{Outcome, Settings};
use queue::{PublishError, QueueState};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::harness::{BODY, Receiver, eventually, settings};
use crate::scripted::Scripted;

#[tokio::test(flavor = "multi_thread")]
async fn the_stop_cuts_no_request_and_the_last_mark_follows_it() {
    let receiver = Receiver::start();
    receiver.queue.hold();
    let mut client = receiver.client().await;
    client.send(&receiver.webhook(BODY)).await;
    receiver.queue.arrived().await;
    receiver.stop.cancel();
    let address = receiver.address;
    eventually_refused(address).await;
    receiver.queue.release(1);
    let answer = client.answer().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("connection"), Some("close"));
    let queue = receiver.stopped().await;
    let mark = queue.marks().pop().unwrap();
    assert!(mark.last && mark.decided_through == 1 && mark.refused.is_empty(), "{mark:?}");
    assert_eq!(mark.instance, queue.webhooks()[0].instance);
}

async fn eventually_refused(address: std::net::SocketAddr) {
    let refused = async { while TcpStream::connect(address).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(20), refused).await.expect("the listener closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn during_the_grace_it_accepts_and_closes_each_connection() {
    let receiver = Receiver::with(Settings { grace: Duration::from_hours(1), ..settings() });
    let mut kept = receiver.client().await;
    kept.send(&receiver.webhook(BODY)).await;
    assert_eq!(kept.answer().await.header("connection"), None);
    receiver.stop.cancel();
    for client in [&mut kept, &mut receiver.client().await] {
        client.send(&receiver.webhook(BODY)).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(client.closed().await.is_empty());
    }
    receiver.ended.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_does_not_undo_its_webhook() {
    let receiver = Receiver::start();
    receiver.queue.hold();
    let mut client = receiver.client().await;
    client.send(&receiver.webhook(BODY)).await;
    receiver.queue.arrived().await;
    client.0.set_zero_linger().unwrap();
    drop(client);
    eventually("it is counted", || receiver.counted("main", Outcome::Abandoned) == 1).await;
    receiver.stop.cancel();
    receiver.queue.release(1);
    let queue = receiver.stopped().await;
    assert_eq!(queue.webhooks().len(), 1, "the attempt went on without it");
    assert_eq!(queue.marks().pop().unwrap().decided_through, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_let_go_at_the_end() {
    let receiver = Receiver::start();
    assert_eq!(receiver.post(BODY).await.status, 200);
    let queue = receiver.stopped().await;
    eventually("nobody publishes any more", || Arc::strong_count(&queue) == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_are_left_when_idle_and_name_what_was_refused() {
    let receiver = Receiver::with(Settings { checkpoint_every: Duration::from_millis(5), ..settings() });
    eventually("idle marks", || receiver.queue.marks().len() >= 3).await;
    receiver.queue.webhooks_fail_with(Some(PublishError::Full("test".to_owned())));
    for _ in 0..3 {
        assert_eq!(receiver.post(BODY).await.status, 503);
    }
    eventually("a mark that names them", || refused(&receiver.queue) == [1, 2, 3]).await;
    let queue = receiver.stopped().await;
    assert_eq!(refused(&queue), [1, 2, 3], "each is named once");
    let marks = queue.marks();
    assert!(marks.iter().all(|mark| mark.instance == marks[0].instance && mark.started_at == marks[0].started_at));
    assert_eq!(marks.iter().filter(|mark| mark.last).count(), 1);
    assert_eq!(marks.last().map(|mark| (mark.last, mark.decided_through)), Some((true, 3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_that_cannot_be_left_is_made_up_for_by_the_next() {
    let receiver = Receiver::start();
    eventually("the first mark", || !receiver.queue.marks().is_empty()).await;
    receiver.queue.marks_fail_with(Some(PublishError::Unavailable("test".to_owned())));
    receiver.queue.webhooks_fail_with(Some(PublishError::Unavailable("test".to_owned())));
    assert_eq!(receiver.post(BODY).await.status, 503);
    receiver.queue.marks_fail_with(None);
    let queue = receiver.stopped().await;
    assert_eq!(queue.marks().last().unwrap().refused, [SequenceRange { from: 1, through: 1 }]);
}

fn refused(queue: &Scripted) -> Vec<u64> {
    queue.marks().iter().flat_map(|mark| mark.refused.clone()).flat_map(|range| range.from..=range.through).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_means_that_a_webhook_could_be_kept_and_no_stop_is_near() {
    let (queue, stop) = (Scripted::new(), CancellationToken::new());
    let publisher = queue.publisher();
    let readiness = ingress::readiness(&publisher, stop.clone());
    for (state, ready) in [
        (QueueState::Starting, false),
        (QueueState::Ready, true),
        (QueueState::Degraded("spooling".to_owned()), true),
        (QueueState::Down("disk full".to_owned()), false),
        (QueueState::Ready, true),
    ] {
        queue.set_state(state.clone());
        assert_eq!(readiness.check().is_ok(), ready, "{state:?}");
    }
    stop.cancel();
    assert_eq!(readiness.check(), Err("stopping".to_owned()));
}
