//! The database is away: consumers hold what they have, the ingress notices nothing, and all goes on where it was.

use tests::finlink::ConnectionStatus;
use tests::servers::Postgres;

use super::cluster::{Cluster, Queue, TOKENS, is_said_to_be};
use crate::broker;

const ALL: [&str; 4] = ["ingress-1", "consumer-1", "reconciler-1", "feed-1"];

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_loses_nothing_and_is_waited_for() {
    let mut database = tokio::task::block_in_place(|| Postgres::launch().unwrap());
    let queue = tokio::task::block_in_place(|| Queue::Deployed(broker::deployed()));
    let cluster = Cluster::on(queue, database.url("finlinkd")).await;
    cluster.put_all(&TOKENS.map(ConnectionStatus::pending));
    // Not there yet: each starts, says so, and waits.
    tokio::task::block_in_place(|| database.kill().unwrap());
    let roles = cluster.start_all(&ALL).await;
    for name in ["consumer-1", "reconciler-1", "feed-1"] {
        let health = is_said_to_be(roles.get(name), Some("store"), "degraded").await;
        assert_eq!(health["status"], "degraded", "degraded is ready: {health}");
    }
    let flood = cluster.flood(roles.get("ingress-1")).await;
    flood.accepts(100).await.unwrap();
    tokio::task::block_in_place(|| database.start().unwrap());
    for name in ["consumer-1", "reconciler-1", "feed-1"] {
        is_said_to_be(roles.get(name), Some("store"), "ready").await;
    }
    cluster.converges(|| cluster.truth()).await;

    // Away again, in the middle of it.
    tokio::task::block_in_place(|| database.kill().unwrap());
    flood.accepts(flood.accepted() + 100).await.unwrap();
    roles.get("consumer-1").said("the store is away: holding a batch").await.unwrap();
    is_said_to_be(roles.get("consumer-1"), Some("store"), "degraded").await;
    cluster.put_all(&TOKENS.map(ConnectionStatus::ready));
    tokio::task::block_in_place(|| database.start().unwrap());
    flood.accepts(flood.accepted() + 100).await.unwrap();
    let heard = flood.stop().await.unwrap();
    assert!(heard.refused.is_empty() && heard.broken.is_empty(), "{:?} {:?}", heard.refused, heard.broken);
    cluster.keeps(&heard.receipts).await;
    cluster.converges(|| cluster.truth()).await;
    assert_eq!(cluster.ask(&["dead-letters", "list", "--all", "--json"]).await, serde_json::json!([]));
    roles.stop().await;
    cluster.books_are_right(1).await;
}
