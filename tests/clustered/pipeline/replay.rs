//! `finlinkd webhooks replay` beside running roles.

use serde_json::json;
use tests::cluster::{Cluster, TOKENS};
use tests::customer::APP;
use tests::finlink::ConnectionStatus;
use tests::looking::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn what_recorded_webhooks_point_at_is_read_again_and_nothing_is_recorded() {
    let cluster = Cluster::shared().await;
    cluster.put_all(&TOKENS.map(ConnectionStatus::ready));
    let mut roles = cluster.start_all(&["reconciler-1", "ingress-1", "consumer-1"]).await;
    let sender = cluster.sender(roles.get("ingress-1")).await;
    let mut receipts = Vec::new();
    for token in [TOKENS[0], TOKENS[0], TOKENS[1]] {
        receipts.push(sender.send(token).await.unwrap());
    }
    for receipt in &receipts {
        cluster.person().finds_verified(receipt, "verified").await;
    }
    cluster.converges().await;

    // What was hinted at, and how much of that was read.
    let hints = async |token: &str| {
        let refresh = &cluster.ask(&["connections", "explain", token, "--json"]).await["refresh"];
        (refresh["hint_no"].as_u64().unwrap(), refresh["answered_no"].as_u64().unwrap())
    };
    let before = [hints(TOKENS[0]).await.0, hints(TOKENS[1]).await.0];
    let told = cluster.ask(&["webhooks", "replay", &receipts[0], &receipts[1], "--json"]).await;
    let of_app = json!({APP: {"connections": 1, "list": false}});
    assert_eq!(told, json!({"done": false, "selected": 2, "webhooks": 2, "left_out": {}, "apps": of_app}));
    assert_eq!(hints(TOKENS[0]).await.0, before[0]);
    let done = cluster.ask(&["webhooks", "replay", &receipts[0], &receipts[1], "--yes", "--json"]).await;
    assert_eq!(done["done"], true, "{done}");

    let read = eventually("the connection is read again", async || match hints(TOKENS[0]).await {
        (hinted, answered) if hinted == before[0] + 1 && answered == hinted => Ok(()),
        other => Err(format!("{other:?} after {before:?}")),
    });
    read.await;
    assert_eq!(hints(TOKENS[1]).await.0, before[1], "no webhook of its was named");
    assert_eq!(cluster.person().webhooks().await.len(), receipts.len());
    roles.take("ingress-1").stop().await.unwrap();
    cluster.person().books_are_closed(1).await;
    roles.stop().await;
}
