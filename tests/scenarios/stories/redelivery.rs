//! The store has committed a batch, and the queue never hears of it.

use tests::finlink::ConnectionStatus;
use tests::looking::{counter, eventually};

use crate::pair::Pair;
use crate::pipeline::{Pipeline, TOKENS};

pub(crate) async fn what_was_stored_and_not_acknowledged_to_the_queue_comes_again_and_is_recorded_once<P: Pair>() {
    let mut pair = P::breakable().await;
    // What the consumer holds is the webhook, and no mark of the books.
    pair.set("INGRESS__CHECKPOINT_EVERY", "1h");
    let mut pipeline = Pipeline::on(pair).await;
    pipeline.put_all(&TOKENS.map(ConnectionStatus::ready));
    pipeline.send(TOKENS[0]).await;
    pipeline.person().books_are_right(1).await;
    pipeline.holds(false).await;
    // With the store away the consumer holds what it took. Then the queue leaves, and the store comes back.
    pipeline.pair.store_leaves().await;
    let held = pipeline.send(TOKENS[0]).await;
    pipeline.holds(true).await;
    pipeline.pair.queue_leaves().await;
    pipeline.pair.store_returns().await;
    pipeline.person().finds(std::slice::from_ref(&held)).await;
    let consumer = P::player("consumer");
    pipeline.running.take(consumer).kill().await.unwrap();
    pipeline.pair.queue_returns().await;
    let again = pipeline.pair.start(consumer).await;
    let redelivered = eventually("the webhook comes again", async || {
        match counter(&again, r#"finlinkd_consumer_messages_total{app="main",result="redelivered"}"#).await {
            0 => Err(again.last_lines()),
            _ => Ok(()),
        }
    });
    redelivered.await;
    pipeline.running.put(consumer, again);
    pipeline.ends_well(&[]).await;
}
