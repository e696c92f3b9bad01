//! Keys on their way from the reconciler to an ingress elsewhere: unknown, learned, and kept on disk.

use tests::cluster::{Cluster, TOKENS};
use tests::customer::APP;
use tests::looking::{eventually, is_said_to_be};
use tests::sender::{Sender, naming};

#[tokio::test(flavor = "multi_thread")]
async fn without_a_reconciler_webhooks_are_kept_and_known_keys_survive_a_restart() {
    let cluster = Cluster::shared().await;
    let mut roles = cluster.start_all(&["consumer-1", "ingress-1"]).await;
    is_said_to_be(roles.get("ingress-1"), Some("keys"), "degraded").await;
    let early = cluster.sender(roles.get("ingress-1")).await.send(TOKENS[0]).await.unwrap();
    cluster.person().finds_verified(&early, "pending").await;

    roles.put("reconciler-1", cluster.start("reconciler-1").await);
    cluster.person().finds_verified(&early, "verified").await;
    let refused = |sender: Sender| async move {
        let forger = Sender { key: std::sync::Arc::new(sender.key.impostor().unwrap()), ..sender };
        let answer = forger.post(&naming(TOKENS[1])).await.unwrap();
        if answer.status() == 401 { Ok(()) } else { Err(format!("{} {}", answer.line, answer.text())) }
    };
    // A forgery under a known key's id is refused as soon as the ingress has the key.
    let sender = cluster.sender(roles.get("ingress-1")).await;
    eventually("the ingress has the key", async || refused(sender.clone()).await).await;

    roles.take("reconciler-1").stop().await.unwrap();
    roles.take("ingress-1").kill().await.unwrap();
    roles.put("ingress-1", cluster.start("ingress-1").await);
    let sender = cluster.sender(roles.get("ingress-1")).await;
    assert_eq!(sender.app, APP);
    refused(sender.clone()).await.expect("keys are read from disk before the first webhook");
    let late = sender.send(TOKENS[0]).await.unwrap();
    cluster.person().finds_verified(&late, "verified").await;
    roles.stop().await;
}
