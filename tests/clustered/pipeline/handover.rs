//! Roles of which there are two: one goes, in order or not, and the other goes on where it was.

use tests::cluster::{Cluster, TOKENS};
use tests::feed::events_once;
use tests::finlink::{ConnectionStatus, Endpoint};

/// Accepted before something happens, and after.
const ACCEPTED: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_stops_in_order_gives_back_what_it_has_not_stored() {
    let cluster = Cluster::shared().await;
    let mut roles = cluster.start_all(&["reconciler-1", "ingress-1", "ingress-2", "consumer-1"]).await;
    let mut floods = Vec::new();
    for name in ["ingress-1", "ingress-2"] {
        floods.push(cluster.flood(roles.get(name)).await);
    }
    for flood in &floods {
        flood.accepts(ACCEPTED).await.unwrap();
    }
    roles.put("consumer-2", cluster.start("consumer-2").await);
    roles.take("consumer-1").stop().await.unwrap();
    let mut acknowledged = Vec::new();
    for flood in floods {
        flood.accepts(flood.accepted() + ACCEPTED).await.unwrap();
        let heard = flood.stop().await.unwrap();
        assert!(heard.refused.is_empty() && heard.broken.is_empty(), "{:?} {:?}", heard.refused, heard.broken);
        acknowledged.extend(heard.receipts);
    }
    cluster.person().finds(&acknowledged).await;
    for name in ["ingress-1", "ingress-2"] {
        roles.take(name).stop().await.unwrap();
    }
    cluster.person().books_are_closed(2).await;
    roles.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_takes_over_from_a_reconciler_that_died_and_uses_its_session() {
    let cluster = Cluster::shared().await;
    cluster.put_all(&TOKENS.map(ConnectionStatus::pending));
    let mut roles = cluster.start_all(&["reconciler-1", "feed-1"]).await;
    cluster.converges().await;
    roles.put("reconciler-2", cluster.start("reconciler-2").await);
    roles.take("reconciler-1").kill().await.unwrap();
    cluster.put_all(&TOKENS.map(ConnectionStatus::ready));
    cluster.converges().await;
    // And back, in order.
    roles.put("reconciler-1", cluster.start("reconciler-1").await);
    roles.take("reconciler-2").stop().await.unwrap();
    cluster.put_all(&TOKENS.map(|token| ConnectionStatus::ready(token).failed(true)));
    cluster.converges().await;
    assert_eq!(cluster.finlink.count(Endpoint::Login), 1);
    events_once(roles.get("feed-1")).await;
    roles.stop().await;
}
