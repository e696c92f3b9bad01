//! What is bounded besides bodies: heads, requests in flight, bytes in flight.

use ingress::{Outcome, Settings};
use tokio::io::AsyncWriteExt;

use crate::harness::{BODY, Receiver, eventually, head, request, settings};

#[tokio::test(flavor = "multi_thread")]
async fn a_head_over_the_limit_gets_413() {
    let long = "x".repeat(16 * 1024);
    let many: Vec<_> = (0..60).map(|n| (format!("x-{n}"), "y".repeat(300))).collect();
    let many: Vec<_> = many.iter().map(|(name, value)| (&**name, &**value)).collect();
    for (path, headers) in [
        ("/webhooks/main", vec![("x-long", &*long)]),
        ("/webhooks/main", vec![("vumi-verification", &*long)]),
        ("/webhooks/main", many),
        (&*format!("/webhooks/main?{long}"), vec![]),
    ] {
        let receiver = Receiver::start();
        receiver.ask(&request("POST", path, &headers, BODY)).await.is_problem(413);
        receiver.counted_only("main", Outcome::HeadTooLarge);
    }
}

/// The HTTP server gives up on such a head by itself, before there is a request to count.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_beyond_all_bounds_never_becomes_a_request() {
    let fields = "x-many: y\r\n".repeat(200);
    let receiver = Receiver::start();
    let mut client = receiver.client().await;
    client.send(format!("POST /webhooks/main HTTP/1.1\r\nhost: x\r\n{fields}\r\n").as_bytes()).await;
    assert_eq!(client.answer().await.status, 431);
    assert!(client.closed().await.is_empty());
    assert!(Outcome::all().all(|outcome| receiver.counted("main", outcome) == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_within_the_limit_is_taken() {
    let receiver = Receiver::start();
    let long = "x".repeat(15 * 1024);
    let headers = [("vumi-verification", &*receiver.signature(BODY)), ("x-long", &long)];
    assert_eq!(receiver.ask(&request("POST", "/webhooks/main", &headers, BODY)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_may_be_in_flight_get_503() {
    let receiver = Receiver::with(Settings { in_flight_max: 2, ..settings() });
    receiver.queue.hold();
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut client = receiver.client().await;
        client.send(&receiver.webhook(BODY)).await;
        receiver.queue.arrived().await;
        waiting.push(client);
    }
    let answer = receiver.post(BODY).await;
    answer.is_problem(503);
    assert_eq!(answer.header("retry-after"), Some("30"));
    receiver.counted_only("main", Outcome::Overloaded);
    receiver.queue.release(3);
    for client in &mut waiting {
        assert_eq!(client.answer().await.status, 200);
    }
    assert_eq!(receiver.post(BODY).await.status, 200);
    assert_eq!(receiver.counted("main", Outcome::Accepted), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_bodies_take_no_more_memory_than_is_set() {
    const SENDERS: usize = 40;
    const SENT: usize = 20_000;
    const ROOM: usize = 100_000;
    let receiver = Receiver::with(Settings { in_flight_bytes_max: ROOM, ..settings() });
    let mut senders = Vec::new();
    for _ in 0..SENDERS {
        let mut client = receiver.client().await;
        client.send(&head("POST", "/webhooks/main", &[], "content-length: 200000")).await;
        client.send(&vec![b'x'; SENT]).await;
        senders.push(client);
    }
    // Each of them keeps its connection, but only as many bodies as there is room for are kept.
    let refused = || receiver.counted("main", Outcome::Overloaded) as usize;
    let kept = || receiver.in_flight();
    eventually("every body is kept or refused", || refused() + kept() == SENDERS && refused() >= SENDERS - ROOM / SENT)
        .await;
    assert!(kept() <= ROOM / SENT);
    for client in &mut senders {
        client.0.shutdown().await.unwrap();
    }
    eventually("all is given back", || receiver.in_flight() == 0).await;
    assert_eq!(receiver.post(BODY).await.status, 200);
}
