//! A refused or returned message fails exactly its own caller, whatever goes on around it.

use std::sync::Arc;

use lapin::options::{QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ConnectionProperties};
use queue::rabbitmq::WEBHOOKS;
use queue::{Message, PublishError, Publisher};

use super::{engine, new_virtual_host, until_ready, webhook};

/// Callers at the same time, spread over the threads of the runtime.
const CALLERS: u64 = 16;
/// Messages of each caller.
const EACH: u64 = 200;

pub(crate) async fn administrator(url: &str) -> (Connection, Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

/// Declares a queue that is always full: what is routed to it by `key` is refused.
pub(crate) async fn declare_full(channel: &Channel, key: &str) {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(0));
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare("full".into(), options, arguments).await.unwrap();
    let bind = QueueBindOptions::default();
    channel.queue_bind("full".into(), WEBHOOKS.into(), key.into(), bind, FieldTable::default()).await.unwrap();
}

/// Publishes to `app` by turns with the app `demo` from many callers, and returns each result of each.
async fn publish_by_turns(publisher: &Publisher, app: &'static str) -> Vec<(bool, Result<(), PublishError>)> {
    let publisher = Arc::new(publisher.clone());
    let callers = (0..CALLERS).map(|caller| {
        let publisher = Arc::clone(&publisher);
        tokio::spawn(async move {
            let mut results = Vec::new();
            for number in 0..EACH {
                let special = (caller + number) % 7 == 0;
                let message = webhook(if special { app } else { "demo" }, caller * EACH + number);
                results.push((special, publisher.publish(Message::Webhook(message)).await));
            }
            results
        })
    });
    let mut all = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        all.extend(caller.await.unwrap());
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refused_message_among_accepted_ones_fails_its_own_caller_alone() {
    let url = new_virtual_host();
    let (publisher, _ended) = engine(&url).publisher();
    until_ready(&publisher).await;
    // What is routed to this queue too is refused.
    let (_connection, channel) = administrator(&url).await;
    declare_full(&channel, "refusing").await;
    // A quorum queue takes what comes before it knows that it is full.
    while publisher.publish(Message::Webhook(webhook("refusing", 0))).await.is_ok() {}

    for (special, result) in publish_by_turns(&publisher, "refusing").await {
        if special {
            assert!(matches!(result, Err(PublishError::Full(_))), "a refused message was reported as {result:?}");
        } else {
            assert_eq!(result, Ok(()), "an accepted message was reported as refused");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_returned_message_among_accepted_ones_fails_its_own_caller_alone() {
    let url = new_virtual_host();
    let (publisher, _ended) = engine(&url).publisher();
    until_ready(&publisher).await;
    // Only the app `demo` still leads to the queue.
    let (_connection, channel) = administrator(&url).await;
    let bind = QueueBindOptions::default();
    channel.queue_bind(WEBHOOKS.into(), WEBHOOKS.into(), "demo".into(), bind, FieldTable::default()).await.unwrap();
    channel.queue_unbind(WEBHOOKS.into(), WEBHOOKS.into(), "#".into(), FieldTable::default()).await.unwrap();

    for (special, result) in publish_by_turns(&publisher, "nowhere").await {
        if special {
            let Err(PublishError::Unavailable(why)) = &result else { panic!("unroutable, yet {result:?}") };
            assert!(why.contains("no queue is bound"), "{why}");
        } else {
            assert_eq!(result, Ok(()), "a stored message was reported as returned");
        }
    }
}
