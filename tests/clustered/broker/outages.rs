//! Brokers that are killed, frozen, blocked, cut off, or not there yet. Each test has a broker of its own.

use std::time::Duration;

use events::RawWebhook;
use queue::{Message, PublishError, Publisher, QueueState, rabbitmq};
use tests::proxy::Fault;
use tests::servers::{RabbitMq, RabbitMqOptions, free_port};

use super::{
    PATIENCE, engine, engine_with, new_virtual_host, next, proxied, receipts, settings, shared, until_ready, webhook,
};

/// What a caller does about an unknown outcome: the same receipt again, until it is stored.
async fn until_stored(publisher: &Publisher, message: &RawWebhook) {
    let stored = async {
        while publisher.publish(Message::Webhook(message.clone())).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, stored).await.expect("the engine works again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_survives_the_brokers_death_and_both_sides_come_back() {
    let mut broker = RabbitMq::launch(&RabbitMqOptions::default()).unwrap();
    // With the default settings: a queue made just now is not trusted at once.
    let (publisher, ended) = engine_with(&broker.url(), rabbitmq::Settings::default()).publisher();
    until_ready(&publisher).await;
    let (mut subscription, _state) = engine(&broker.url()).subscribe();
    let mut confirmed = std::collections::BTreeSet::new();
    for number in 0..100 {
        let message = webhook("demo", number);
        publisher.publish(Message::Webhook(message.clone())).await.unwrap();
        confirmed.insert(message.receipt);
    }
    let held = next(&mut subscription).await;
    broker.kill().unwrap();
    let mut state = publisher.state();
    let down = state.wait_for(|state| matches!(state, QueueState::Down(_)));
    tokio::time::timeout(PATIENCE, down).await.unwrap().unwrap();
    let refused = publisher.publish(Message::Webhook(webhook("demo", 1000))).await;
    assert!(matches!(refused, Err(PublishError::Unavailable(_))), "{refused:?}");
    assert!(held.ack().await.is_err(), "an acknowledgement cannot count on a dead channel");

    broker.start().unwrap();
    let message = webhook("demo", 2000);
    until_stored(&publisher, &message).await;
    confirmed.insert(message.receipt);
    while !confirmed.is_empty() {
        let batch = next(&mut subscription).await;
        for receipt in receipts(&batch) {
            confirmed.remove(&receipt);
        }
        batch.ack().await.unwrap();
    }
    drop(publisher);
    tokio::time::timeout(PATIENCE, ended).await.expect("the engine ends with its last publisher").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_starts_without_a_broker_and_finds_it_later() {
    let port = free_port().unwrap();
    let nowhere = format!("amqp://guest:guest@127.0.0.1:{port}/%2f");
    let both = format!("{nowhere},{}", new_virtual_host());
    let addresses = both.split(',').map(|address| secrecy::SecretString::from(address.to_owned())).collect();
    let engine = rabbitmq::RabbitMq::new(rabbitmq::Addresses::Given(addresses), settings(), "test");
    let (publisher, _ended) = engine.publisher();
    until_ready(&publisher).await;
    publisher.publish(Message::Webhook(webhook("demo", 1))).await.unwrap();

    let (alone, _ended) = super::engine(&nowhere).publisher();
    let mut state = alone.state();
    let down = state.wait_for(|state| matches!(state, QueueState::Down(_)));
    tokio::time::timeout(PATIENCE, down).await.unwrap().unwrap();
    let refused = alone.publish(Message::Webhook(webhook("demo", 1))).await;
    assert!(matches!(refused, Err(PublishError::Unavailable(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_connection_is_noticed_and_refuses_at_once() {
    let broker = RabbitMq::launch(&RabbitMqOptions::default()).unwrap();
    let (publisher, _ended) = engine(&broker.url()).publisher();
    until_ready(&publisher).await;
    publisher.publish(Message::Webhook(webhook("demo", 1))).await.unwrap();
    broker.memory_alarm(true).unwrap();
    // The broker tells a connection that it is blocked when that connection next publishes.
    let stuck = tokio::spawn({
        let publisher = publisher.clone();
        async move { publisher.publish(Message::Webhook(webhook("demo", 2))).await }
    });
    let mut state = publisher.state();
    let blocked = state.wait_for(|state| matches!(state, QueueState::Down(why) if why.contains("blocks")));
    tokio::time::timeout(PATIENCE, blocked).await.expect("the block is noticed").unwrap();
    let refused = publisher.publish(Message::Webhook(webhook("demo", 3))).await;
    assert!(matches!(refused, Err(PublishError::Unavailable(_))), "{refused:?}");
    broker.memory_alarm(false).unwrap();
    until_ready(&publisher).await;
    publisher.publish(Message::Webhook(webhook("demo", 4))).await.unwrap();
    // It was stored late, or its channel was left: either way its caller got an answer.
    tokio::time::timeout(PATIENCE, stuck).await.expect("the stuck publish is answered").unwrap().ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_network_leaves_the_outcome_unknown_and_the_channel_behind() {
    let url = new_virtual_host();
    let (through, proxy) = proxied(&url).await;
    let impatient = rabbitmq::Settings { confirm_abandoned_after: Duration::from_secs(1), ..settings() };
    let (publisher, _ended) = engine_with(&through, impatient).publisher();
    until_ready(&publisher).await;
    publisher.publish(Message::Webhook(webhook("demo", 0))).await.unwrap();
    proxy.set(Fault::DeafClient);
    let unknown = publisher.publish(Message::Webhook(webhook("demo", 1))).await;
    assert!(matches!(unknown, Err(PublishError::OutcomeUnknown(_))), "{unknown:?}");
    proxy.set(Fault::Reset);
    let mut state = publisher.state();
    let down = state.wait_for(|state| matches!(state, QueueState::Down(_)));
    tokio::time::timeout(PATIENCE, down).await.expect("the reset is noticed").unwrap();
    proxy.set(Fault::None);
    until_ready(&publisher).await;
    until_stored(&publisher, &webhook("demo", 2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_queue_is_declared_and_consumed_again() {
    let url = new_virtual_host();
    let name = url.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    let (publisher, _ended) = engine(&url).publisher();
    until_ready(&publisher).await;
    let (mut subscription, mut state) = engine(&url).subscribe();
    publisher.publish(Message::Webhook(webhook("demo", 1))).await.unwrap();
    next(&mut subscription).await.ack().await.unwrap();
    shared().control(&["delete_queue", "--vhost", &name, rabbitmq::WEBHOOKS]).unwrap();
    let waiting = tokio::spawn(async move { (next(&mut subscription).await, subscription) });
    let down = state.wait_for(|state| matches!(state, QueueState::Down(_)));
    tokio::time::timeout(PATIENCE, down).await.unwrap().unwrap();
    let ready = state.wait_for(|state| *state == QueueState::Ready);
    tokio::time::timeout(PATIENCE, ready).await.unwrap().unwrap();
    let message = webhook("demo", 2);
    publisher.publish(Message::Webhook(message.clone())).await.unwrap();
    let (batch, _subscription) = waiting.await.unwrap();
    assert_eq!(receipts(&batch), [message.receipt]);
}
