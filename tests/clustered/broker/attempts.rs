//! A message that is delivered too often is set aside by the broker.

use queue::Message;
use queue::rabbitmq::DELIVERY_LIMIT;

use super::{engine, new_virtual_host, next, receipts, until_ready, webhook};

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
