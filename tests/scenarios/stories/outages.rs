//! Either engine goes away in the middle of it all, and comes back.

use tests::finlink::ConnectionStatus;
use tests::looking::is_said_to_be;
use tests::sender::naming;

use crate::pair::Pair;
use crate::pipeline::{ACCEPTED, Pipeline, TOKENS};

pub(crate) async fn while_the_queue_is_away_nothing_is_acknowledged_that_could_be_lost<P: Pair>() {
    let mut pipeline = Pipeline::<P>::on_engines_of_its_own().await;
    pipeline.put_all(&TOKENS.map(ConnectionStatus::pending));
    let flood = pipeline.flood().await;
    pipeline.pair.queue_leaves().await;

    let expected = P::WITHOUT_A_QUEUE;
    let answer = pipeline.sender().await.post(&naming(TOKENS[0])).await.unwrap();
    assert_eq!(answer.status(), expected.answer, "{}", answer.text());
    let seconds = answer.header("retry-after").and_then(|seconds| seconds.parse::<u64>().ok());
    assert_eq!(seconds.is_some(), expected.answer == 503, "{answer:?}");
    pipeline.notes(&answer);
    is_said_to_be(pipeline.player("ingress"), Some("queue"), expected.said_to_be).await;
    // Nobody needs the queue to see what changed.
    pipeline.put_all(&TOKENS.map(ConnectionStatus::ready));
    pipeline.converges().await;
    if expected.answer == 200 {
        flood.accepts(flood.accepted() + ACCEPTED).await.unwrap();
    }

    pipeline.pair.queue_returns().await;
    is_said_to_be(pipeline.player("ingress"), Some("queue"), "ready").await;
    let refusals = if expected.answer == 200 { vec![] } else { vec![expected.answer] };
    pipeline.hears(flood, &refusals).await;
    pipeline.ends_well(&[]).await;
}

/// They do so also where the consumer that holds them dies with them.
pub(crate) async fn while_the_store_is_away_webhooks_are_taken_and_wait_in_the_queue<P: Pair>() {
    let mut pipeline = Pipeline::<P>::on_engines_of_its_own().await;
    pipeline.put_all(&TOKENS.map(ConnectionStatus::pending));
    let flood = pipeline.flood().await;
    pipeline.pair.store_leaves().await;
    flood.accepts(flood.accepted() + ACCEPTED).await.unwrap();
    pipeline.hears(flood, &[]).await;
    pipeline.holds(true).await;
    let consumer = P::player("consumer");
    pipeline.running.take(consumer).kill().await.unwrap();
    pipeline.put_all(&TOKENS.map(ConnectionStatus::ready));

    pipeline.pair.store_returns().await;
    pipeline.running.put(consumer, pipeline.pair.start(consumer).await);
    let flood = pipeline.flood().await;
    pipeline.hears(flood, &[]).await;
    pipeline.ends_well(&[]).await;
}
