//! The database is not there yet when its roles start: each says so and waits for it.

use tests::cluster::{Cluster, Queue, TOKENS};
use tests::finlink::ConnectionStatus;
use tests::looking::is_said_to_be;
use tests::servers::Postgres;

use crate::broker;

const ALL: [&str; 4] = ["ingress-1", "consumer-1", "reconciler-1", "feed-1"];

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there_yet_is_waited_for() {
    let mut database = tokio::task::block_in_place(|| Postgres::launch().unwrap());
    let queue = tokio::task::block_in_place(|| Queue::Deployed(broker::deployed()));
    let cluster = Cluster::on(queue, database.url("finlinkd")).await;
    cluster.put_all(&TOKENS.map(ConnectionStatus::pending));
    tokio::task::block_in_place(|| database.kill().unwrap());
    let roles = cluster.start_all(&ALL).await;
    for name in ["consumer-1", "reconciler-1", "feed-1"] {
        let health = is_said_to_be(roles.get(name), Some("store"), "degraded").await;
        assert_eq!(health["status"], "degraded", "degraded is ready: {health}");
    }
    let acknowledged = cluster.sender(roles.get("ingress-1")).await.send(TOKENS[0]).await.unwrap();
    tokio::task::block_in_place(|| database.start().unwrap());
    for name in ["consumer-1", "reconciler-1", "feed-1"] {
        is_said_to_be(roles.get(name), Some("store"), "ready").await;
    }
    cluster.person().finds(&[acknowledged]).await;
    cluster.converges().await;
    roles.stop().await;
}
