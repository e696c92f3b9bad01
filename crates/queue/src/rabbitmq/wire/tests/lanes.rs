//! Between the callers and a connection.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::*;
use crate::rabbitmq::Settings;
use crate::rabbitmq::lane::{Ended, Lane};
use crate::rabbitmq::reports::{Conditions, Reporter};

fn lane() -> (mpsc::Sender<Request>, Lane) {
    let (sender, requests) = mpsc::channel(1000);
    let reporter = Reporter::new(0, watch::Sender::new(Conditions::new()));
    let (_, links) = watch::channel(None);
    (sender, Lane { requests, links, reporter, settings: Settings::default(), name: "lane".to_owned() })
}

/// A request that takes its room.
fn ask(sender: &mpsc::Sender<Request>, room: &Arc<InFlight>, body: Vec<u8>) -> Answer {
    let (reply, answer) = oneshot::channel();
    let permit = room.try_enter(body.len()).expect("there is room");
    assert!(sender.try_send(Request { outgoing: outgoing(body), reply, permit }).is_ok());
    answer
}

#[tokio::test]
async fn a_message_that_nobody_waits_for_takes_its_room_until_it_is_settled() {
    for multiple in [false, true] {
        let (mut broker, mut connection) = open().await;
        let room = InFlight::new(1, 1024);
        let (reply, answer) = oneshot::channel();
        let permit = room.try_enter(1).unwrap();
        connection.publish(Request { outgoing: outgoing("x"), reply, permit }, Instant::now());
        drop(answer);
        exchange(&mut connection).await.unwrap();
        assert!(room.try_enter(1).is_none(), "it is on its way");
        broker.ack(1, multiple).await;
        exchange(&mut connection).await.unwrap();
        assert!(room.try_enter(1).is_some(), "it is stored");
    }
}

#[tokio::test]
async fn the_room_of_what_is_lost_with_its_connection_is_free() {
    let (_broker, mut connection) = open().await;
    let room = InFlight::new(1, 1024);
    let (reply, _answer) = oneshot::channel();
    let permit = room.try_enter(5000).unwrap();
    connection.publish(Request { outgoing: outgoing("x"), reply, permit }, Instant::now());
    connection.abandon(&Broken::because("a test"));
    assert!(room.try_enter(5000).is_some());
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_not_written() {
    let (mut broker, connection) = open().await;
    let (sender, mut lane) = lane();
    let room = InFlight::new(2, 1024 * 1024);
    drop(ask(&sender, &room, b"gone".to_vec()));
    let waiting = ask(&sender, &room, b"here".to_vec());
    drop(sender);
    let talk = async {
        let AMQPClass::Basic(basic::AMQPMethod::Publish(_)) = broker.hear_method().await else { panic!() };
        let AMQPFrame::Header(..) = broker.hear().await else { panic!() };
        assert_eq!(broker.hear().await, AMQPFrame::Body(CHANNEL, b"here".to_vec()));
        broker.ack(1, false).await;
        assert_eq!(waiting.await.unwrap(), Ok(Confirmed::Stored));
        let AMQPClass::Connection(connection::AMQPMethod::Close(_)) = broker.hear_method().await else { panic!() };
        broker.say(0, AMQPClass::Connection(connection::AMQPMethod::CloseOk(connection::CloseOk {}))).await;
    };
    let (ended, ()) = tokio::join!(lane.drive(connection), talk);
    assert!(matches!(ended, Ended::Drained));
}

#[tokio::test]
async fn while_a_broker_blocks_and_does_not_read_nobody_waits_unwritten() {
    let (mut broker, connection) = open().await;
    let (sender, mut lane) = lane();
    let blocked = connection::Blocked { reason: "low on disk".into() };
    broker.say(0, AMQPClass::Connection(connection::AMQPMethod::Blocked(blocked))).await;
    let room = InFlight::new(1000, 64 * 1024 * 1024);
    // More than the pipe and the buffer hold, and than is taken at a time.
    let mut answers: Vec<_> = (0..600).map(|_| ask(&sender, &room, vec![b'x'; 16 * 1024])).collect();
    drop(sender);
    let last = answers.pop().unwrap();
    let refused = tokio::select! {
        _ = lane.drive(connection) => panic!("what was written is not settled"),
        refused = last => refused.unwrap(),
    };
    let Err(PublishError::Unavailable(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("low on disk"), "{why}");
    // The written ones go on waiting for the broker's word.
    assert_eq!(by_now(&mut answers[0]), None);
}
