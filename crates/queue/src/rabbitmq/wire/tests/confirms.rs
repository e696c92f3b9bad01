//! Each caller gets the broker's word on its own message.

use amq_protocol::protocol::{AMQPClass, basic, channel, connection};

use super::*;

const STORED: Option<Result<Confirmed, PublishError>> = Some(Ok(Confirmed::Stored));
const UNROUTED: Option<Result<Confirmed, PublishError>> = Some(Ok(Confirmed::Unrouted));

fn is_refused(answer: &mut Answer) -> bool {
    matches!(by_now(answer), Some(Err(PublishError::Full(_))))
}

fn is_unknown(answer: &mut Answer) -> bool {
    matches!(by_now(answer), Some(Err(PublishError::OutcomeUnknown(_))))
}

async fn with_messages<const COUNT: usize>() -> (Broker, Connection, [Answer; COUNT]) {
    let (broker, mut connection) = open().await;
    let answers = std::array::from_fn(|_| publish(&mut connection, "x"));
    exchange(&mut connection).await.unwrap();
    (broker, connection, answers)
}

#[tokio::test]
async fn confirms_one_by_one_go_to_their_own_in_any_order() {
    let (mut broker, mut connection, [mut one, mut two, mut three]) = with_messages().await;
    broker.ack(2, false).await;
    exchange(&mut connection).await.unwrap();
    assert_eq!((by_now(&mut one), by_now(&mut two), by_now(&mut three)), (None, STORED, None));
    broker.nack(1, false).await;
    broker.ack(3, false).await;
    exchange(&mut connection).await.unwrap();
    assert!(is_refused(&mut one));
    assert_eq!(by_now(&mut three), STORED);
}

#[tokio::test]
async fn a_confirm_of_several_is_one_for_each_up_to_its_tag_and_none_after() {
    let (mut broker, mut connection, [mut one, mut two, mut three, mut four]) = with_messages().await;
    broker.nack(2, false).await;
    broker.ack(3, true).await;
    exchange(&mut connection).await.unwrap();
    assert_eq!((by_now(&mut one), by_now(&mut three), by_now(&mut four)), (STORED, STORED, None));
    assert!(is_refused(&mut two));
}

#[tokio::test]
async fn a_refusal_of_several_is_one_for_each_and_leaves_the_rest() {
    let (mut broker, mut connection, [mut one, mut two, mut three, mut four]) = with_messages().await;
    broker.nack(2, true).await;
    exchange(&mut connection).await.unwrap();
    assert!(is_refused(&mut one) && is_refused(&mut two));
    assert_eq!((by_now(&mut three), by_now(&mut four)), (None, None));
    broker.ack(4, true).await;
    exchange(&mut connection).await.unwrap();
    assert_eq!((by_now(&mut three), by_now(&mut four)), (STORED, STORED));
}

#[tokio::test]
async fn messages_that_come_back_are_told_apart_by_their_number_alone() {
    // Same receipt, same key: nothing but the number differs.
    let (mut broker, mut connection, [mut one, mut two, mut three, mut four]) = with_messages().await;
    broker.give_back("2", &[b'x'; 250]).await;
    broker.give_back("4", b"").await;
    broker.ack(1, false).await;
    broker.nack(4, false).await;
    broker.ack(3, true).await;
    exchange(&mut connection).await.unwrap();
    assert_eq!((by_now(&mut one), by_now(&mut two), by_now(&mut three)), (STORED, UNROUTED, STORED));
    assert!(is_refused(&mut four));
}

#[tokio::test]
async fn a_confirm_of_what_was_not_sent_ends_the_connection_and_leaves_the_rest_unknown() {
    for tag in [0, 2, u64::MAX] {
        for multiple in [false, true] {
            let (mut broker, mut connection, [mut one]) = with_messages().await;
            broker.ack(tag, multiple).await;
            let broken = exchange(&mut connection).await.unwrap_err();
            assert!(broken.to_string().contains("not on its way"), "{broken}");
            connection.abandon(&broken);
            assert!(is_unknown(&mut one));
        }
    }
}

#[tokio::test]
async fn a_second_confirm_of_the_same_ends_the_connection() {
    for early in [false, true] {
        let (mut broker, mut connection, [_one, _two, _three]) = with_messages().await;
        let tag = if early { 1 } else { 2 };
        broker.ack(tag, false).await;
        broker.ack(tag, false).await;
        assert!(exchange(&mut connection).await.is_err());
    }
}

#[tokio::test]
async fn a_message_that_comes_back_without_having_been_sent_ends_the_connection() {
    for tag in ["2", "0", "", "one", "18446744073709551616"] {
        let (mut broker, mut connection, [mut one]) = with_messages().await;
        broker.give_back(tag, b"x").await;
        let broken = exchange(&mut connection).await.unwrap_err();
        connection.abandon(&broken);
        assert!(is_unknown(&mut one), "{tag}");
    }
}

#[tokio::test]
async fn a_closed_channel_says_why_and_leaves_the_rest_unknown() {
    let (mut broker, mut connection, [mut one]) = with_messages().await;
    let text = "NOT_FOUND - no exchange 'finlinkd.webhooks' in vhost '/'";
    let close = channel::Close { reply_code: 404, reply_text: text.into(), class_id: 60, method_id: 40 };
    broker.say(CHANNEL, AMQPClass::Channel(channel::AMQPMethod::Close(close))).await;
    let broken = exchange(&mut connection).await.unwrap_err();
    assert_eq!(broken.code, Some(404));
    assert!(broken.to_string().contains("the channel: 404 NOT_FOUND - no exchange"), "{broken}");
    connection.abandon(&broken);
    assert!(is_unknown(&mut one));
    while !matches!(broker.hear().await, AMQPFrame::Body(..)) {}
    let consent = broker.hear().await;
    assert!(matches!(consent, AMQPFrame::Method(CHANNEL, AMQPClass::Channel(channel::AMQPMethod::CloseOk(_)))));
}

#[tokio::test]
async fn a_connection_that_is_dropped_says_goodbye_and_nobody_waits_for_ever() {
    let (mut broker, connection, [one]) = with_messages().await;
    drop(connection);
    assert!(one.await.is_err());
    while !matches!(broker.hear().await, AMQPFrame::Body(..)) {}
    let goodbye = broker.hear().await;
    assert!(matches!(goodbye, AMQPFrame::Method(0, AMQPClass::Connection(connection::AMQPMethod::Close(_)))));
}

#[tokio::test]
async fn an_end_in_order_waits_for_the_brokers_consent() {
    let (mut broker, connection) = open().await;
    let consent = async {
        let AMQPClass::Connection(connection::AMQPMethod::Close(_)) = broker.hear_method().await else { panic!() };
        broker.say(0, AMQPClass::Connection(connection::AMQPMethod::CloseOk(connection::CloseOk {}))).await;
    };
    tokio::join!(connection.close(), consent);
}

#[tokio::test]
async fn a_broker_that_does_not_confirm_is_left() {
    let (_broker, mut connection, [_one]) = with_messages().await;
    let now = Instant::now();
    connection.check(now, HOUR).unwrap();
    let broken = connection.check(now + Duration::from_secs(2), Duration::from_secs(1)).unwrap_err();
    assert!(broken.to_string().contains("does not confirm"), "{broken}");
}

#[tokio::test]
async fn a_broker_that_blocks_is_kept_and_those_who_wait_are_told() {
    let (mut broker, mut connection, [mut one, mut two]) = with_messages().await;
    let blocked = connection::Blocked { reason: "low on memory".into() };
    broker.say(0, AMQPClass::Connection(connection::AMQPMethod::Blocked(blocked))).await;
    exchange(&mut connection).await.unwrap();
    assert_eq!(connection.blocked(), Some("low on memory"));
    let (now, patience) = (Instant::now(), Duration::from_millis(1));
    connection.check(now + Duration::from_secs(2), patience).unwrap();
    assert!(is_unknown(&mut one) && is_unknown(&mut two));
    assert!(!connection.is_awaited());

    broker.say(0, AMQPClass::Connection(connection::AMQPMethod::Unblocked(connection::Unblocked {}))).await;
    broker.give_back("1", b"x").await;
    broker.ack(1, false).await;
    exchange(&mut connection).await.unwrap();
    assert_eq!(connection.blocked(), None);
    // The time in which it was blocked does not count, but from here on it does.
    connection.check(Instant::now(), HOUR).unwrap();
    assert!(connection.check(Instant::now() + 2 * HOUR, HOUR).is_err());
}

#[tokio::test]
async fn the_time_in_which_a_broker_blocks_is_no_delay_of_its_own() {
    let (mut broker, mut connection) = open().await;
    let (reply, _answer) = oneshot::channel();
    let sent_at = Instant::now().checked_sub(Duration::from_secs(10)).unwrap();
    connection.publish(request(outgoing("x"), reply), sent_at);
    exchange(&mut connection).await.unwrap();
    let patience = Duration::from_secs(5);
    assert!(connection.check(Instant::now(), patience).is_err());
    broker.say(0, AMQPClass::Connection(connection::AMQPMethod::Unblocked(connection::Unblocked {}))).await;
    exchange(&mut connection).await.unwrap();
    connection.check(Instant::now(), patience).unwrap();
}

#[tokio::test]
async fn a_silent_side_is_noticed_and_silence_is_filled() {
    let (mut broker, mut connection) = open().await;
    let (now, heartbeat) = (Instant::now(), Duration::from_secs(u64::from(HEARTBEAT_SECONDS)));
    connection.check(now + heartbeat / 4, HOUR).unwrap();
    connection.check(now + heartbeat, HOUR).unwrap();
    exchange(&mut connection).await.unwrap();
    assert_eq!(broker.hear().await, AMQPFrame::Heartbeat);
    let broken = connection.check(now + heartbeat * 3, HOUR).unwrap_err();
    assert!(broken.to_string().contains("nothing is heard"), "{broken}");
}

#[tokio::test]
async fn what_is_for_consumers_ends_the_connection() {
    let (mut broker, mut connection) = open().await;
    broker.say_of_messages(basic::AMQPMethod::GetEmpty(basic::GetEmpty {})).await;
    assert!(exchange(&mut connection).await.is_err());
}
