//! Bodies larger than the broker takes, or than we do: refused by themselves, read by nobody.

use bytes::Bytes;
use events::{BodyHash, RawWebhook};
use queue::rabbitmq::Settings;
use queue::{Batch, Content, Message, PublishError, QueueState, Subscription};
use tests::looking::eventually;
use tests::servers::{RabbitMq, RabbitMqOptions};

use super::{engine, engine_with, new_virtual_host, next, receipts, settings, until_ready, webhook};

fn webhook_of(bytes: usize, sequence: u64) -> RawWebhook {
    let body = Bytes::from(vec![b'0'; bytes]);
    RawWebhook { body_sha256: BodyHash::of(&body), body, ..webhook("demo", sequence) }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_broker_does_not_take_costs_one_connection_and_is_then_refused_by_itself() {
    const BROKER_BYTES_MAX: usize = 100_000;
    let options = RabbitMqOptions {
        configuration: vec![format!("max_message_size = {BROKER_BYTES_MAX}")],
        ..RabbitMqOptions::default()
    };
    let broker = tokio::task::block_in_place(|| RabbitMq::launch(&options).unwrap());
    let (publisher, _ended) = engine(&broker.url()).publisher();
    until_ready(&publisher).await;
    let largest = Message::Webhook(webhook_of(BROKER_BYTES_MAX, 1));
    publisher.publish(largest.clone()).await.unwrap();

    let too_large = Message::Webhook(webhook_of(BROKER_BYTES_MAX + 1, 2));
    let mut lost = 0;
    let refused = eventually("it is refused by itself", async || match publisher.publish(too_large.clone()).await {
        Err(PublishError::Refused(why)) => Ok(why),
        Err(PublishError::OutcomeUnknown(why)) if why.contains("larger than") => {
            lost += 1;
            Err(why)
        }
        other => Err(format!("{other:?}")),
    });
    let why = refused.await;
    assert!(why.contains("the broker takes 100000"), "{why}");
    assert_eq!(lost, 1, "connections");
    let back = eventually("there is a connection again", async || {
        publisher.publish(largest.clone()).await.map_err(|error| error.to_string())
    });
    back.await;
    until_ready(&publisher).await;

    let mut state = publisher.state();
    state.mark_unchanged();
    for _ in 0..3 {
        let refused = publisher.publish(too_large.clone()).await.unwrap_err();
        assert!(matches!(refused, PublishError::Refused(_)), "{refused}");
        publisher.publish(largest.clone()).await.unwrap();
    }
    assert_eq!((state.has_changed().unwrap(), &*state.borrow()), (false, &QueueState::Ready));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused_before_it_is_sent_and_marked_and_whole_where_it_is_found() {
    const BYTES_MAX: usize = 50_000;
    let url = new_virtual_host();
    let ours = engine_with(&url, Settings { message_bytes_max: BYTES_MAX, ..settings() });
    let (publisher, _ended) = ours.publisher();
    until_ready(&publisher).await;
    let large = webhook_of(BYTES_MAX + 1, 1);
    let refused = publisher.publish(Message::Webhook(large.clone())).await.unwrap_err();
    assert!(matches!(refused, PublishError::Refused(_)), "{refused}");

    // An ingress that may send larger ones sends it.
    let (stranger, _ended) = engine(&url).publisher();
    until_ready(&stranger).await;
    stranger.publish(Message::Webhook(large.clone())).await.unwrap();
    let behind = webhook_of(BYTES_MAX, 2);
    publisher.publish(Message::Webhook(behind.clone())).await.unwrap();

    let (mut subscription, _state) = ours.subscribe();
    let batch = next(&mut subscription).await;
    let Content::TooLarge { webhook, reason } = &batch.deliveries()[0].content else { panic!("it is not marked") };
    assert_eq!(webhook, &large);
    for told in ["the body has 50001 bytes", "rabbitmq.message_bytes_max (50000)"] {
        assert!(reason.contains(told), "{told} is not in {reason}");
    }
    assert_eq!(receipts(&batch), [behind.receipt]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_sent_ahead_than_fits_into_the_room_for_it() {
    const AHEAD: usize = 7;
    let url = new_virtual_host();
    let few = Settings { message_bytes_max: 1000, prefetch_bytes_max: 7999, ..settings() };
    let (publisher, _ended) = engine(&url).publisher();
    until_ready(&publisher).await;
    for sequence in 0..3 * AHEAD as u64 {
        publisher.publish(Message::Webhook(webhook("demo", sequence))).await.unwrap();
    }
    let (mut subscription, _state) = engine_with(&url, few).subscribe();
    let (taken, _batches) = take(&mut subscription, AHEAD).await;
    // All that the first was not sent goes to another.
    let (mut other, _state) = engine(&url).subscribe();
    let (rest, _batches) = take(&mut other, 2 * AHEAD).await;
    assert_eq!((taken, rest), (AHEAD, 2 * AHEAD));
}

/// Takes batches until there are so many messages, and acknowledges none.
async fn take(subscription: &mut Subscription, messages: usize) -> (usize, Vec<Batch>) {
    let (mut taken, mut batches) = (0, Vec::new());
    while taken < messages {
        let batch = next(subscription).await;
        taken += batch.deliveries().len();
        batches.push(batch);
    }
    (taken, batches)
}
