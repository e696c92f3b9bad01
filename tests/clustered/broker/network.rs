//! Publishing through a network that breaks: what was confirmed is there, and the engine comes back by itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use events::{BodyHash, RawWebhook, Receipt};
use futures_util::future::join_all;
use lapin::options::ExchangeDeleteOptions;
use queue::rabbitmq::{self, WEBHOOKS};
use queue::{Message, PublishError, Publisher, QueueState, Subscription};
use tests::looking::eventually;
use tests::proxy::{Fault, FaultProxy};
use tests::servers::{RabbitMq, RabbitMqOptions};

use super::confirms::administrator;
use super::{
    PATIENCE, engine, engine_with, new_virtual_host, next, passes, proxied, receipts, settings, until_ready, webhook,
};

/// More than a frame holds.
const LARGE_BYTES: usize = 200_000;

/// An engine behind a proxy, and what it had stored.
struct Scene {
    url: String,
    proxy: Arc<FaultProxy>,
    publisher: Publisher,
    stored: BTreeSet<Receipt>,
}

impl Scene {
    async fn start() -> Self {
        let url = new_virtual_host();
        let (through, proxy) = proxied(&url).await;
        let impatient = rabbitmq::Settings { confirm_abandoned_after: Duration::from_secs(2), ..settings() };
        let (publisher, _) = engine_with(&through, impatient).publisher();
        until_ready(&publisher).await;
        Self { url, proxy, publisher, stored: BTreeSet::new() }
    }

    /// Publishes all at once; each has an answer.
    async fn publish(&mut self, messages: Vec<RawWebhook>) -> Vec<Result<(), PublishError>> {
        let sending = messages.into_iter().map(async |message| {
            let receipt = message.receipt;
            (receipt, self.publisher.publish(Message::Webhook(message)).await)
        });
        let results = tokio::time::timeout(PATIENCE, join_all(sending)).await.expect("everyone is answered");
        self.stored.extend(results.iter().filter(|(_, result)| result.is_ok()).map(|(receipt, _)| *receipt));
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// The same, with a fault once the envelopes of the first `sent` are on their way to the broker.
    async fn publish_until(
        &mut self,
        messages: Vec<RawWebhook>,
        sent: usize,
        fault: Fault,
    ) -> Vec<Result<(), PublishError>> {
        let proxy = self.proxy.clone();
        let passed = join_all(messages[..sent].iter().map(|message| passes(&proxy, message.receipt)));
        let faulty = async {
            passed.await;
            proxy.set(fault);
        };
        tokio::join!(self.publish(messages), faulty).0
    }

    async fn is_down(&self) -> String {
        let mut state = self.publisher.state();
        let down = state.wait_for(|state| matches!(state, QueueState::Down(_)));
        match tokio::time::timeout(PATIENCE, down).await.expect("it is noticed").unwrap().clone() {
            QueueState::Down(why) => why,
            other => panic!("{other:?}"),
        }
    }

    /// The network is well again: so is the engine, and everything that was confirmed is delivered, bytes and all.
    async fn recovers(mut self) {
        self.proxy.set(Fault::Reset);
        let works = eventually("it works again", async || {
            let results = self.publish(messages(1, 10)).await;
            if results == [Ok(())] { Ok(()) } else { Err(format!("{results:?}")) }
        });
        works.await;
        let (mut subscription, _state) = engine(&self.url).subscribe();
        everything_comes(&mut subscription, self.stored).await;
    }
}

async fn everything_comes(subscription: &mut Subscription, mut expected: BTreeSet<Receipt>) {
    while !expected.is_empty() {
        let batch = next(subscription).await;
        assert_eq!(receipts(&batch).len(), batch.deliveries().len(), "something came that was never published");
        for receipt in receipts(&batch) {
            expected.remove(&receipt);
        }
        batch.ack().await.unwrap();
    }
}

fn messages(count: u64, bytes: usize) -> Vec<RawWebhook> {
    let body = Bytes::from(vec![b'x'; bytes]);
    (0..count)
        .map(|n| RawWebhook { body: body.clone(), body_sha256: BodyHash::of(&body), ..webhook("demo", n) })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_every_length_arrive() {
    let mut scene = Scene::start().await;
    for bytes in [0, 1, 131_064, 131_065, LARGE_BYTES] {
        assert_eq!(scene.publish(messages(3, bytes)).await, [Ok(()), Ok(()), Ok(())], "{bytes}");
    }
    scene.recovers().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_in_the_middle_of_a_frame_leaves_outcomes_unknown() {
    let mut scene = Scene::start().await;
    assert_eq!(scene.publish(messages(1, 10)).await, [Ok(())]);
    scene.proxy.set(Fault::Throttle(100_000));
    let results = scene.publish_until(messages(20, LARGE_BYTES), 1, Fault::Reset).await;
    assert!(results.iter().all(|result| matches!(result, Err(PublishError::OutcomeUnknown(_)))), "{results:?}");
    scene.is_down().await;
    scene.recovers().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_answers_everyone_who_waits() {
    let mut scene = Scene::start().await;
    assert_eq!(scene.publish(messages(1, 10)).await, [Ok(())]);
    scene.proxy.set(Fault::DeafClient);
    let results = scene.publish_until(messages(100, 10), 100, Fault::Reset).await;
    for result in results {
        assert!(matches!(result, Err(PublishError::OutcomeUnknown(_))), "{result:?}");
    }
    scene.recovers().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole_is_noticed() {
    let mut scene = Scene::start().await;
    scene.proxy.set(Fault::BlackHole);
    let results = scene.publish(messages(3, 10)).await;
    assert!(results.iter().all(|result| matches!(result, Err(PublishError::OutcomeUnknown(_)))), "{results:?}");
    let why = scene.is_down().await;
    assert!(why.contains("does not confirm"), "{why}");
    scene.recovers().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_closed_connection_is_noticed() {
    let mut scene = Scene::start().await;
    scene.proxy.set(Fault::HalfClose);
    let results = scene.publish(messages(3, 10)).await;
    assert!(results.iter().all(Result::is_err), "{results:?}");
    scene.is_down().await;
    scene.recovers().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_network_is_only_slow() {
    let mut scene = Scene::start().await;
    for fault in [Fault::Delay(Duration::from_millis(20)), Fault::Throttle(200_000)] {
        scene.proxy.set(fault);
        let results = scene.publish(messages(200, 100)).await;
        assert!(results.iter().all(Result::is_ok), "{fault:?}: {results:?}");
    }
    scene.recovers().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_broker_that_nobody_publishes_to_is_noticed_by_its_silence() {
    let broker = RabbitMq::launch(&RabbitMqOptions::default()).unwrap();
    let url = broker.url().replace("heartbeat=10", "heartbeat=2");
    let (publisher, _ended) = engine(&url).publisher();
    until_ready(&publisher).await;
    broker.freeze().unwrap();
    let mut state = publisher.state();
    let down = state.wait_for(|state| matches!(state, QueueState::Down(_)));
    let down = tokio::time::timeout(PATIENCE, down).await.expect("it is noticed").unwrap().clone();
    assert!(matches!(&down, QueueState::Down(why) if why.contains("nothing is heard")), "{down:?}");
    broker.thaw().unwrap();
    until_ready(&publisher).await;
    publisher.publish(Message::Webhook(webhook("demo", 1))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_exchange_is_named_and_declared_again() {
    let url = new_virtual_host();
    let (publisher, _ended) = engine(&url).publisher();
    until_ready(&publisher).await;
    let (_connection, channel) = administrator(&url).await;
    channel.exchange_delete(WEBHOOKS.into(), ExchangeDeleteOptions::default()).await.unwrap();
    let lost = publisher.publish(Message::Webhook(webhook("demo", 1))).await;
    let Err(PublishError::OutcomeUnknown(why)) = &lost else { panic!("{lost:?}") };
    assert!(why.contains("404 NOT_FOUND - no exchange 'finlinkd.webhooks'"), "{why}");
    until_ready(&publisher).await;
}
