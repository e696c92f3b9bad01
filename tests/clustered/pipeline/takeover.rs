//! A reconciler that is frozen and comes back: another one talked for it meanwhile, and only one talks at a time.

use tests::finlink::{ConnectionStatus, Endpoint};

use super::cluster::{Cluster, TOKENS, events_once};

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_reconciler_is_stood_in_for_and_does_no_harm_when_it_wakes() {
    let cluster = Cluster::shared().await;
    cluster.put_all(&TOKENS.map(ConnectionStatus::pending));
    let roles = cluster.start_all(&["reconciler-1", "feed-1"]).await;
    cluster.converges(|| cluster.truth()).await;
    let second = cluster.start("reconciler-2").await;

    let first = roles.get("reconciler-1");
    first.freeze().unwrap();
    cluster.put_all(&TOKENS.map(ConnectionStatus::ready));
    cluster.converges(|| cluster.truth()).await;
    first.thaw().unwrap();
    cluster.put_all(&TOKENS.map(|token| ConnectionStatus::ready(token).failed(true)));
    cluster.converges(|| cluster.truth()).await;
    // Whoever takes over goes on with the session that it finds: a login of its own would end the other's.
    assert_eq!(cluster.finlink.count(Endpoint::Login), 1);
    second.kill().await.unwrap();
    cluster.put_all(&TOKENS.map(ConnectionStatus::ready));
    cluster.converges(|| cluster.truth()).await;
    events_once(roles.get("feed-1")).await;
    roles.stop().await;
}
