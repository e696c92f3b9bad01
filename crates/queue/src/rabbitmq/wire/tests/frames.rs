//! What a message looks like on the wire.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::*;

/// A message as the broker gets it: the number that it carries, and the lengths of its body's frames.
async fn heard(broker: &mut Broker) -> (String, Vec<usize>) {
    let AMQPClass::Basic(basic::AMQPMethod::Publish(publish)) = broker.hear_method().await else { panic!() };
    assert!(publish.mandatory && !publish.immediate);
    assert_eq!((publish.exchange.as_str(), publish.routing_key.as_str()), ("e", "k"));
    let AMQPFrame::Header(CHANNEL, header) = broker.hear().await else { panic!() };
    let mut left = usize::try_from(header.body_size).unwrap();
    let mut parts = Vec::new();
    while left > 0 {
        let AMQPFrame::Body(CHANNEL, part) = broker.hear().await else { panic!() };
        left -= part.len();
        parts.push(part.len());
    }
    (header.properties.correlation_id().as_ref().unwrap().to_string(), parts)
}

#[tokio::test]
async fn a_body_is_cut_to_what_a_frame_may_hold() {
    let (mut broker, mut connection) = open().await;
    let full = FRAME_BYTES_MAX as usize - 8;
    let cases = [(0, vec![]), (1, vec![1]), (full, vec![full]), (full + 1, vec![full, 1]), (3 * full, vec![full; 3])];
    let answers: Vec<_> = cases.iter().map(|(length, _)| publish(&mut connection, vec![b'x'; *length])).collect();
    exchange(&mut connection).await.unwrap();
    for (number, (_, parts)) in (1..).zip(cases) {
        assert_eq!(heard(&mut broker).await, (number.to_string(), parts));
    }
    drop(answers);
}

#[tokio::test]
async fn headers_that_no_frame_can_hold_are_refused_and_nothing_of_the_message_is_sent() {
    let (mut broker, mut connection) = open().await;
    let mut large = outgoing("x");
    let signature = "x".repeat(FRAME_BYTES_MAX as usize);
    large.properties = Properties::with_headers(&TOLD, |headers| headers.text("signature", &signature));
    let (reply, mut answer) = oneshot::channel();
    connection.publish(request(large, reply), Instant::now());
    assert!(matches!(by_now(&mut answer), Some(Err(PublishError::Refused(_)))));
    let mut next = publish(&mut connection, "x");
    exchange(&mut connection).await.unwrap();
    assert_eq!(heard(&mut broker).await, ("1".to_owned(), vec![1]), "its number is free");
    broker.ack(1, false).await;
    exchange(&mut connection).await.unwrap();
    assert_eq!(by_now(&mut next), Some(Ok(Confirmed::Stored)));
}

/// Counts writes, and takes only so many bytes at a time.
struct Counted {
    inner: DuplexStream,
    writes: Arc<AtomicUsize>,
    bytes_max: usize,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        let bytes = &bytes[..bytes.len().min(self.bytes_max)];
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

async fn counted(bytes_max: usize) -> (Broker, Connection, Arc<AtomicUsize>) {
    let (mut broker, inner) = Broker::new();
    let writes = Arc::new(AtomicUsize::new(0));
    let stream = Counted { inner, writes: Arc::clone(&writes), bytes_max };
    let uri = "amqp://somewhere".parse().unwrap();
    let (opened, _) = tokio::join!(over(Box::new(stream), &uri, "a name"), broker.welcome());
    writes.store(0, Ordering::Relaxed);
    (broker, opened.unwrap_or_else(|broken| panic!("{broken}")), writes)
}

#[tokio::test]
async fn what_was_asked_for_between_two_wake_ups_leaves_in_one_write() {
    let (mut broker, mut connection, writes) = counted(usize::MAX).await;
    let answers: Vec<_> = (0..100).map(|_| publish(&mut connection, "x")).collect();
    exchange(&mut connection).await.unwrap();
    assert_eq!(writes.load(Ordering::Relaxed), 1);
    for number in 1..=answers.len() {
        assert_eq!(heard(&mut broker).await, (number.to_string(), vec![1]));
    }
}

#[tokio::test]
async fn a_socket_that_takes_little_at_a_time_gets_everything_in_order() {
    let (mut broker, mut connection, _) = counted(3).await;
    let mut answers: Vec<_> = (0..5).map(|_| publish(&mut connection, "abcdefgh")).collect();
    exchange(&mut connection).await.unwrap();
    for number in 1..=5 {
        assert_eq!(heard(&mut broker).await, (number.to_string(), vec![8]));
    }
    broker.ack(5, true).await;
    exchange(&mut connection).await.unwrap();
    assert!(answers.iter_mut().all(|answer| by_now(answer) == Some(Ok(Confirmed::Stored))));
}

#[tokio::test]
async fn frames_that_come_byte_by_byte_are_read_whole() {
    let (mut broker, mut connection) = open().await;
    let mut answer = publish(&mut connection, "x");
    exchange(&mut connection).await.unwrap();
    let ack = basic::AMQPMethod::Ack(basic::Ack { delivery_tag: 1, multiple: false });
    for byte in bytes_of(&AMQPFrame::Method(CHANNEL, AMQPClass::Basic(ack))) {
        assert_eq!(by_now(&mut answer), None);
        broker.send(&[byte]).await;
        exchange(&mut connection).await.unwrap();
    }
    assert_eq!(by_now(&mut answer), Some(Ok(Confirmed::Stored)));
}

#[tokio::test]
async fn with_much_unwritten_there_is_no_room() {
    let (mut broker, mut connection) = open().await;
    let body = vec![b'x'; 64 * 1024];
    let mut answers = Vec::new();
    while connection.has_room() {
        answers.push(publish(&mut connection, body.clone()));
    }
    assert_eq!(answers.len(), 4);
    exchange(&mut connection).await.unwrap();
    assert!(connection.has_room());
    broker.ack(4, true).await;
    exchange(&mut connection).await.unwrap();
    assert!(answers.iter_mut().all(|answer| by_now(answer) == Some(Ok(Confirmed::Stored))));
}
