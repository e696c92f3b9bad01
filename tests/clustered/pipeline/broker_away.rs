//! The broker is not there yet, freezes, blocks, or loses its queue: the ingress answers 200 and the spool covers it. That it
//! dies is a scenario of `tests/scenarios`.

use tests::binary::Finlinkd;
use tests::cluster::{Cluster, Queue, TOKENS};
use tests::http::Message;
use tests::looking::{counter, drained, eventually, is_said_to_be};
use tests::sender::{naming, receipt};
use tests::servers::{RabbitMq, RabbitMqOptions, VirtualHost, free_port};

use crate::database;

/// Webhooks sent in each state of the broker.
const WEBHOOKS: usize = 60;

/// Sends a load; whoever is refused fails the test. A confirm that does not come is waited for by the ingress for 2 s, an
/// answer for 8 s: 200 means that it came within that.
async fn accepted(cluster: &Cluster, ingress: &Finlinkd, acknowledged: &mut Vec<String>) {
    let flood = cluster.flood(ingress).await;
    flood.accepts(WEBHOOKS).await.unwrap();
    let heard = flood.stop().await.unwrap();
    assert!(heard.refused.is_empty() && heard.broken.is_empty(), "{:?} {:?}", heard.refused, heard.broken);
    acknowledged.extend(heard.receipts);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingress_answers_and_spools_whatever_the_broker_does() {
    let mut broker = tokio::task::block_in_place(|| RabbitMq::launch(&RabbitMqOptions::default()).unwrap());
    let store = database::shared().url(&database::new_database());
    let queue = tokio::task::block_in_place(|| Queue::Deployed(VirtualHost::committed(&broker).unwrap()));
    let cluster = Cluster::on(queue, store).await;
    let mut acknowledged = Vec::new();

    // Not there yet.
    tokio::task::block_in_place(|| broker.stop().unwrap());
    let ingress = cluster.start("ingress-1").await;
    is_said_to_be(&ingress, Some("queue"), "degraded").await;
    accepted(&cluster, &ingress, &mut acknowledged).await;
    let spooled = eventually("the spool shows what it holds", async || {
        let messages = counter(&ingress, "finlinkd_spool_messages").await;
        if messages >= acknowledged.len() as u64 { Ok(()) } else { Err(format!("{messages} messages")) }
    });
    spooled.await;
    tokio::task::block_in_place(|| broker.start().unwrap());
    let consumer = cluster.start("consumer-1").await;
    drained(&ingress).await;
    cluster.person().finds(&acknowledged).await;
    is_said_to_be(&ingress, Some("queue"), "ready").await;

    // Frozen: its sockets stay open, and nobody answers.
    broker.freeze().unwrap();
    accepted(&cluster, &ingress, &mut acknowledged).await;
    // And the ingress dies with what it has spooled: the next one in its folder takes that over.
    ingress.kill().await.unwrap();
    let ingress = cluster.start("ingress-1").await;
    accepted(&cluster, &ingress, &mut acknowledged).await;
    broker.thaw().unwrap();
    drained(&ingress).await;
    cluster.person().finds(&acknowledged).await;

    // Out of memory: it reads from no publisher.
    tokio::task::block_in_place(|| broker.memory_alarm(true).unwrap());
    accepted(&cluster, &ingress, &mut acknowledged).await;
    tokio::task::block_in_place(|| broker.memory_alarm(false).unwrap());
    drained(&ingress).await;
    cluster.person().finds(&acknowledged).await;

    // The queue is deleted, which takes what is in it along: nothing is.
    tokio::task::block_in_place(|| broker.control(&["delete_queue", "finlinkd.webhooks"]).unwrap());
    accepted(&cluster, &ingress, &mut acknowledged).await;
    drained(&ingress).await;
    cluster.person().finds(&acknowledged).await;

    ingress.stop().await.unwrap();
    cluster.person().books_are_right(1).await;
    consumer.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_refuses_with_503_and_says_when_to_come_again() {
    let nowhere = format!("amqp://guest:guest@127.0.0.1:{}/%2f", free_port().unwrap());
    let cluster = Cluster::on(Queue::At(nowhere), "postgres://nobody@127.0.0.1:1/none".to_owned()).await;
    let setup = cluster.setup("ingress-1").with("SPOOL__BYTES_MAX", "20000");
    let ingress = setup.run_role("ingress").await.unwrap();
    let sender = cluster.sender(&ingress).await;
    let mut accepted = 0;
    let refused: Message = loop {
        let answer = sender.post(&naming(TOKENS[0])).await.unwrap();
        if receipt(&answer).is_err() {
            break answer;
        }
        accepted += 1;
        assert!(accepted < 1000, "it takes more than it may");
    };
    assert!(accepted > 0, "{}", refused.text());
    assert_eq!(refused.status(), 503, "{}", refused.text());
    assert!(refused.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok()), "{refused:?}");
    ingress.stop().await.unwrap();
}
