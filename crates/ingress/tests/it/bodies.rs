//! Bodies of every size, shape and speed.

use std::time::Duration;

use ingress::{Outcome, Settings};
use tokio::io::AsyncWriteExt;

use crate::harness::{BODY, Receiver, chunk, eventually, head, request, settings};
use crate::raw::Answer;

const LIMIT: usize = 256 * 1024;

fn chunked(receiver: &Receiver, chunks: &[&[u8]]) -> Vec<u8> {
    let signature = receiver.signature(&chunks.concat());
    let mut bytes = head("POST", "/webhooks/main", &[("vumi-verification", &signature)], "transfer-encoding: chunked");
    bytes.extend(chunks.iter().flat_map(|each| chunk(each)));
    bytes.extend(b"0\r\n\r\n");
    bytes
}

fn too_large(receiver: &Receiver, answer: &Answer) {
    answer.is_problem(413);
    receiver.counted_only("main", Outcome::BodyTooLarge);
    assert!(receiver.queue.webhooks().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_stored_as_they_came() {
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    let tokens: Vec<_> = (0..1000).map(|n| format!("{{\"connectionToken\":\"K7QF2M{n:04}\"}}")).collect();
    let status = br#"{"credentialsToken":"K7QF2M9ZTA","status":"READY","lastSync":"2099-01-01T00:00:00.000Z"}"#;
    let receiver = Receiver::start();
    for body in
        [b"".as_slice(), b"\0\0\0", b"\xff\xfe\x80", b"{", &deep, format!("[{}]", tokens.join(",")).as_bytes(), status]
    {
        assert_eq!(receiver.post(body).await.status, 200);
        assert_eq!(&receiver.queue.webhooks().pop().unwrap().body[..], body);
    }
    assert_eq!(receiver.counted("main", Outcome::Accepted), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_body_is_not_touched() {
    const GZIP: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00";
    let receiver = Receiver::start();
    let headers = [("vumi-verification", &*receiver.signature(GZIP)), ("content-encoding", "gzip")];
    assert_eq!(receiver.ask(&request("POST", "/webhooks/main", &headers, GZIP)).await.status, 200);
    assert_eq!(&receiver.queue.webhooks()[0].body[..], GZIP);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_limit_it_is_taken() {
    let receiver = Receiver::start();
    let body = vec![b'x'; LIMIT];
    assert_eq!(receiver.post(&body).await.status, 200);
    assert_eq!(receiver.ask(&chunked(&receiver, &[&body[..LIMIT / 2], &body[LIMIT / 2..]])).await.status, 200);
    assert!(receiver.queue.webhooks().iter().all(|webhook| webhook.body.len() == LIMIT));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_byte_over_the_limit_it_is_not() {
    let receiver = Receiver::start();
    too_large(&receiver, &receiver.post(&vec![b'x'; LIMIT + 1]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_length_is_believed_without_reading() {
    let receiver = Receiver::start();
    let mut client = receiver.client().await;
    client.send(&head("POST", "/webhooks/main", &[], "content-length: 99999999999")).await;
    too_large(&receiver, &client.answer().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn chunked_over_the_limit_it_is_not_either() {
    let receiver = Receiver::start();
    let body = vec![b'x'; LIMIT];
    too_large(&receiver, &receiver.ask(&chunked(&receiver, &[&body, b"y"])).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_body_without_an_end_is_cut() {
    let receiver = Receiver::start();
    let mut client = receiver.client().await;
    client.send(&head("POST", "/webhooks/main", &[], "transfer-encoding: chunked")).await;
    let piece = chunk(&vec![b'x'; 64 * 1024]);
    let endless = async { while client.0.write_all(&piece).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(20), endless).await.expect("the connection is closed in the end");
    receiver.counted_only("main", Outcome::BodyTooLarge);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stops_half_way_publishes_nothing() {
    let receiver = Receiver::start();
    let mut client = receiver.client().await;
    let whole = receiver.webhook(BODY);
    client.send(&whole[..whole.len() - 1]).await;
    client.0.shutdown().await.unwrap();
    client.answer().await.is_problem(408);
    receiver.counted_only("main", Outcome::BodyBroken);
    assert!(receiver.queue.webhooks().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_vanishes_half_way_is_counted() {
    let receiver = Receiver::start();
    let mut client = receiver.client().await;
    let whole = receiver.webhook(BODY);
    client.send(&whole[..whole.len() - 1]).await;
    eventually("it is in flight", || receiver.in_flight() == 1).await;
    client.0.set_zero_linger().unwrap();
    drop(client);
    eventually("it is counted", || {
        receiver.counted("main", Outcome::BodyBroken) + receiver.counted("main", Outcome::Abandoned) == 1
    })
    .await;
    assert!(receiver.queue.webhooks().is_empty());
    assert!(receiver.in_flight() == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_are_none_are_a_broken_body() {
    let receiver = Receiver::start();
    let mut client = receiver.client().await;
    client.send(&head("POST", "/webhooks/main", &[], "transfer-encoding: chunked")).await;
    eventually("it is in flight", || receiver.in_flight() == 1).await;
    client.send(b"nonsense\r\n").await;
    client.answer().await.is_problem(408);
    receiver.counted_only("main", Outcome::BodyBroken);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_gets_408_and_its_connection_is_closed() {
    for framing in ["content-length: 10", "transfer-encoding: chunked"] {
        let receiver = Receiver::with(Settings { body_timeout: Duration::from_millis(50), ..settings() });
        let mut client = receiver.client().await;
        client.send(&head("POST", "/webhooks/main", &[], framing)).await;
        let answer = client.answer().await;
        answer.is_problem(408);
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(client.closed().await.is_empty());
        receiver.counted_only("main", Outcome::BodySlow);
    }
}
