//! Batches: acknowledged whole, or delivered again and counted; over the limit, set aside.

use queue::Message;
use queue::rabbitmq::DELIVERY_LIMIT;

use super::{engine, new_virtual_host, next, receipts, until_ready, webhook};

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_batch_comes_again_and_an_acknowledged_one_does_not() {
    let url = new_virtual_host();
    let (publisher, _ended) = engine(&url).publisher();
    until_ready(&publisher).await;
    let (mut subscription, _state) = engine(&url).subscribe();
    let first = webhook("demo", 1);
    publisher.publish(Message::Webhook(first.clone())).await.unwrap();

    let batch = next(&mut subscription).await;
    assert_eq!(batch.deliveries()[0].earlier_attempts, 0);
    drop(batch);
    let batch = next(&mut subscription).await;
    assert_eq!(receipts(&batch), [first.receipt]);
    assert_eq!(batch.deliveries()[0].earlier_attempts, 1);
    batch.ack().await.unwrap();

    let second = webhook("demo", 2);
    publisher.publish(Message::Webhook(second.clone())).await.unwrap();
    drop(subscription);
    let (mut subscription, _state) = engine(&url).subscribe();
    assert_eq!(receipts(&next(&mut subscription).await), [second.receipt]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_open_batch_is_not_acknowledged_by_a_later_one() {
    let url = new_virtual_host();
    let (publisher, _ended) = engine(&url).publisher();
    until_ready(&publisher).await;
    let (mut subscription, _state) = engine(&url).subscribe();
    let (first, second) = (webhook("demo", 1), webhook("demo", 2));
    publisher.publish(Message::Webhook(first.clone())).await.unwrap();
    let open = next(&mut subscription).await;
    publisher.publish(Message::Webhook(second.clone())).await.unwrap();
    let later = next(&mut subscription).await;
    assert_eq!(receipts(&later), [second.receipt]);
    later.ack().await.unwrap();
    drop(open);
    assert_eq!(receipts(&next(&mut subscription).await), [first.receipt]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_over_the_limit_ends_among_the_dead_letters() {
    let url = new_virtual_host();
    let (publisher, _ended) = engine(&url).publisher();
    until_ready(&publisher).await;
    let (mut subscription, _state) = engine(&url).subscribe();
    let (mut dead_letters, _state) = engine(&url).dead_letters();
    let poison = webhook("demo", 1);
    publisher.publish(Message::Webhook(poison.clone())).await.unwrap();
    for attempt in 0..=DELIVERY_LIMIT {
        let batch = next(&mut subscription).await;
        assert_eq!(batch.deliveries()[0].earlier_attempts, attempt);
        drop(batch);
    }
    let buried = next(&mut dead_letters).await;
    assert_eq!(receipts(&buried), [poison.receipt]);
    buried.ack().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_consumers_never_get_the_same_message() {
    let url = new_virtual_host();
    let (publisher, _ended) = engine(&url).publisher();
    until_ready(&publisher).await;
    let (mut one, _state) = engine(&url).subscribe();
    let (mut other, _state) = engine(&url).subscribe();
    let mut sent = std::collections::BTreeSet::new();
    for number in 0..500 {
        let message = webhook("demo", number);
        sent.insert(message.receipt);
        publisher.publish(Message::Webhook(message)).await.unwrap();
    }
    let mut got = Vec::new();
    while got.len() < sent.len() {
        let batch = tokio::select! {
            batch = next(&mut one) => batch,
            batch = next(&mut other) => batch,
        };
        got.extend(receipts(&batch));
        batch.ack().await.unwrap();
    }
    assert_eq!(got.len(), sent.len(), "a message came twice");
    assert_eq!(got.into_iter().collect::<std::collections::BTreeSet<_>>(), sent);
}
