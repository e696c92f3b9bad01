//! Whatever a socket sends, the answer is an error.

use amq_protocol::protocol::queue;
use proptest::prelude::*;

use super::*;

/// How an open connection ends that is sent these bytes, if it ends.
async fn ends_with(bytes: &[u8]) -> Option<String> {
    let (mut broker, mut connection) = open().await;
    let _answer = publish(&mut connection, "x");
    broker.send(bytes).await;
    exchange(&mut connection).await.err().map(|broken| broken.to_string())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

proptest! {
    #[test]
    fn random_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        block_on(ends_with(&bytes));
    }

    #[test]
    fn random_frames_are_survived(kind in 1_u8..9, channel in 0_u16..3, payload in proptest::collection::vec(any::<u8>(), 0..300)) {
        block_on(ends_with(&framed(kind, channel, &payload)));
    }

    #[test]
    fn random_methods_are_survived(class in 0_u16..100, method in 0_u16..130, arguments in proptest::collection::vec(any::<u8>(), 0..100)) {
        let payload: Vec<u8> = class.to_be_bytes().into_iter().chain(method.to_be_bytes()).chain(arguments).collect();
        block_on(ends_with(&framed(1, CHANNEL, &payload)));
    }
}

fn framed(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(channel.to_be_bytes());
    bytes.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
    bytes.extend(payload);
    bytes.push(0xce);
    bytes
}

#[tokio::test]
async fn a_frame_that_says_it_is_endless_is_not_waited_for() {
    for length in [FRAME_BYTES_MAX, u32::MAX] {
        let mut head = vec![1, 0, 0];
        head.extend(length.to_be_bytes());
        let ended = ends_with(&head).await.expect("it ends");
        assert!(ended.contains("were agreed on"), "{ended}");
    }
}

#[tokio::test]
async fn a_frame_without_its_mark_is_none() {
    let mut bytes = framed(8, 0, b"");
    *bytes.last_mut().unwrap() = 0;
    assert!(ends_with(&bytes).await.is_some());
}

/// A method with tables in tables.
fn nested(depth: usize) -> Vec<u8> {
    let mut table: Vec<u8> = 0_u32.to_be_bytes().to_vec();
    for _ in 0..depth {
        let mut outer = vec![0, b'F'];
        outer.extend(&table);
        table = u32::try_from(outer.len()).unwrap().to_be_bytes().to_vec();
        table.extend(outer);
    }
    // queue.declare, which has a table at its end.
    let mut payload = vec![0, 50, 0, 10, 0, 0, 1, b'q', 0];
    payload.extend(table);
    framed(1, CHANNEL, &payload)
}

#[tokio::test]
async fn tables_in_tables_do_not_exhaust_the_stack() {
    let ended = ends_with(&nested(80)).await.expect("it ends");
    assert!(ended.contains("not for publishers"), "it was read: {ended}");
    let ended = ends_with(&nested(600)).await.expect("it ends");
    assert!(ended.contains("too complicated"), "{ended}");
}

#[tokio::test]
async fn content_out_of_place_ends_the_connection() {
    let header = {
        let properties = BasicProperties::default().with_correlation_id("1".into());
        let header = amq_protocol::frame::AMQPContentHeader { class_id: 60, body_size: 3, properties };
        bytes_of(&AMQPFrame::Header(CHANNEL, header))
    };
    let returned =
        basic::Return { reply_code: 312, reply_text: "NO_ROUTE".into(), exchange: "e".into(), routing_key: "k".into() };
    let returned = bytes_of(&AMQPFrame::Method(CHANNEL, AMQPClass::Basic(basic::AMQPMethod::Return(returned))));
    let ack = basic::AMQPMethod::Ack(basic::Ack { delivery_tag: 1, multiple: false });
    let ack = bytes_of(&AMQPFrame::Method(CHANNEL, AMQPClass::Basic(ack)));
    let body = |length: usize| bytes_of(&AMQPFrame::Body(CHANNEL, vec![b'x'; length]));
    let elsewhere = bytes_of(&AMQPFrame::Body(7, vec![b'x']));
    let purged = queue::AMQPMethod::PurgeOk(queue::PurgeOk { message_count: 1 });
    let purged = bytes_of(&AMQPFrame::Method(CHANNEL, AMQPClass::Queue(purged)));

    assert_eq!(ends_with(&[returned.clone(), header.clone(), body(1), body(2), ack.clone()].concat()).await, None);
    for bytes in [
        header.clone(),
        body(1),
        elsewhere,
        purged,
        [returned.clone(), ack.clone()].concat(),
        [returned.clone(), returned.clone()].concat(),
        [returned.clone(), body(1)].concat(),
        [returned.clone(), header.clone(), header.clone()].concat(),
        [returned.clone(), header.clone(), body(4)].concat(),
        [returned.clone(), header.clone(), body(3), body(1)].concat(),
        [returned.clone(), header.clone(), body(1), ack].concat(),
        [returned, framed(2, CHANNEL, &[0, 60, 0, 0])].concat(),
    ] {
        assert!(ends_with(&bytes).await.is_some(), "{bytes:?}");
    }
}
