//! From the greeting to the open channel, and what may go wrong in between.

use super::*;

async fn fails(uri: &str, broker: impl AsyncFnOnce(&mut Broker)) -> Broken {
    let (mut other, stream) = Broker::new();
    let uri = uri.parse().unwrap();
    let (opened, ()) = tokio::join!(over(Box::new(stream), &uri, "a name"), async {
        broker(&mut other).await;
        // Nothing more will come.
        other.stream.shutdown().await.unwrap();
    });
    match opened {
        Ok(_) => panic!("it opened"),
        Err(broken) => broken,
    }
}

const ANYONE: &str = "amqp://user:sesame@somewhere/host";

#[tokio::test]
async fn it_says_who_it_is_and_what_it_understands() {
    let (mut broker, stream) = Broker::new();
    let uri = ANYONE.parse().unwrap();
    let (_, answer) = tokio::join!(over(Box::new(stream), &uri, "a name"), broker.welcome());
    assert_eq!(answer.response, "\0user\0sesame".into());
    let properties = answer.client_properties.inner();
    assert_eq!(properties["connection_name"], AMQPValue::LongString("a name".into()));
    let AMQPValue::FieldTable(capabilities) = &properties["capabilities"] else { panic!() };
    for needed in ["publisher_confirms", "basic.nack", "connection.blocked", "authentication_failure_close"] {
        assert!(capabilities.contains_key(needed), "{needed}");
    }
}

#[tokio::test]
async fn what_came_with_the_last_answer_is_heard() {
    let (mut broker, stream) = Broker::new();
    let uri = ANYONE.parse().unwrap();
    let talk = async {
        broker.welcome().await;
        let blocked = connection::Blocked { reason: "low on disk".into() };
        broker.say(0, AMQPClass::Connection(connection::AMQPMethod::Blocked(blocked))).await;
    };
    let (opened, ()) = tokio::join!(over(Box::new(stream), &uri, "a name"), talk);
    let mut connection = opened.unwrap_or_else(|broken| panic!("{broken}"));
    exchange(&mut connection).await.unwrap();
    assert_eq!(connection.blocked(), Some("low on disk"));
}

#[tokio::test]
async fn a_refused_password_is_named_and_not_shown() {
    let broken = fails(ANYONE, async |broker| {
        broker.greet().await;
        broker.hear().await;
        let text = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN.";
        let close = connection::Close { reply_code: 403, reply_text: text.into(), class_id: 0, method_id: 0 };
        broker.say(0, AMQPClass::Connection(connection::AMQPMethod::Close(close))).await;
    })
    .await;
    assert_eq!(broken.code, Some(403));
    assert!(broken.to_string().contains("Login was refused") && !broken.to_string().contains("sesame"), "{broken}");
}

#[tokio::test]
async fn limits_are_the_smaller_of_both_wishes() {
    for (theirs, ours, agreed) in [
        ((0, 0), "", (131_072, 0)),
        ((8192, 60), "", (8192, 60)),
        ((131_072, 60), "?heartbeat=5&frame_max=4096", (4096, 5)),
    ] {
        let (mut broker, stream) = Broker::new();
        let uri = format!("{ANYONE}{ours}").parse().unwrap();
        let talk = async {
            broker.greet().await;
            broker.hear().await;
            broker.tune(theirs.0, theirs.1).await;
            let AMQPClass::Connection(connection::AMQPMethod::TuneOk(tune)) = broker.hear_method().await else {
                panic!()
            };
            (tune.frame_max, tune.heartbeat)
        };
        tokio::select! {
            _ = over(Box::new(stream), &uri, "a name") => panic!("it cannot be open yet"),
            tuned = talk => assert_eq!(tuned, agreed),
        }
    }
}

#[tokio::test]
async fn frames_that_are_too_small_are_refused() {
    let broken = fails(ANYONE, async |broker| {
        broker.greet().await;
        broker.hear().await;
        broker.tune(7, 0).await;
    })
    .await;
    assert!(broken.to_string().contains("too small"), "{broken}");
}

#[tokio::test]
async fn a_mechanism_that_is_not_offered_is_named() {
    let broken = fails(&format!("{ANYONE}?auth_mechanism=external"), Broker::greet).await;
    assert!(broken.to_string().contains("does not offer EXTERNAL but AMQPLAIN PLAIN"), "{broken}");
}

#[tokio::test]
async fn another_version_and_another_protocol_are_told() {
    let broken = fails(ANYONE, async |broker| broker.send(b"AMQP\x00\x00\x0a\x00").await).await;
    assert!(broken.to_string().contains("another version of AMQP"), "{broken}");
    let broken = fails(ANYONE, async |broker| broker.send(b"HTTP/1.1 400 Bad Request\r\n\r\n").await).await;
    assert!(broken.to_string().contains("were agreed on"), "{broken}");
    let broken = fails(ANYONE, async |_| {}).await;
    assert!(broken.to_string().contains("the broker closed the connection"), "{broken}");
}

#[tokio::test]
async fn a_block_in_the_middle_of_opening_is_not_forgotten() {
    let (mut broker, stream) = Broker::new();
    let uri = ANYONE.parse().unwrap();
    let talk = async {
        broker.greet().await;
        let blocked = connection::Blocked { reason: "low on disk".into() };
        broker.say(0, AMQPClass::Connection(connection::AMQPMethod::Blocked(blocked))).await;
        broker.hear().await;
        broker.tune(FRAME_BYTES_MAX, 0).await;
        broker.say(0, AMQPClass::Connection(connection::AMQPMethod::OpenOk(connection::OpenOk {}))).await;
        broker.say(CHANNEL, AMQPClass::Channel(channel::AMQPMethod::OpenOk(channel::OpenOk {}))).await;
        broker.say(CHANNEL, AMQPClass::Confirm(confirm::AMQPMethod::SelectOk(confirm::SelectOk {}))).await;
    };
    let (opened, ()) = tokio::join!(over(Box::new(stream), &uri, "a name"), talk);
    assert_eq!(opened.unwrap_or_else(|broken| panic!("{broken}")).blocked(), Some("low on disk"));
}
