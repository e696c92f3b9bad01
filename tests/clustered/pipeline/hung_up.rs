//! Senders who hung up, a broker that went silent, and then a stop: what they had sent is kept, and the books know it.

use tests::cluster::{Cluster, Queue, TOKENS};
use tests::http::Wire;
use tests::looking::{counter, drained, eventually, is_said_to_be};
use tests::proxy::{Fault, FaultProxy};
use tests::sender::naming;

use crate::broker;

const HUNG_UP: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_under_way_when_an_ingress_stops_before_a_silent_broker_is_in_its_spool() {
    let mut cluster = Cluster::shared().await;
    let server = format!("127.0.0.1:{}", broker::shared().port()).parse().unwrap();
    let proxy = FaultProxy::start(server).await.unwrap();
    let straight = tokio::task::block_in_place(broker::new_virtual_host);
    cluster.queue = Queue::At(straight.replace(&server.to_string(), &proxy.address().to_string()));
    // It would be patient with the broker for longer than this test takes: what makes the attempts go on is that the
    // workers, and their connections to the broker with them, end before they do.
    let patient = cluster.setup("ingress-1").with("SPOOL__BROKER_TIMEOUT", "1h");
    let ingress = patient.run_role("ingress").await.unwrap();
    is_said_to_be(&ingress, Some("queue"), "ready").await;
    let sender = cluster.sender(&ingress).await;
    let mut acknowledged = vec![sender.send(TOKENS[0]).await.unwrap()];

    proxy.set(Fault::BlackHole);
    let mut wires = Vec::new();
    for _ in 0..HUNG_UP {
        let mut wire = Wire::open(sender.address).await.unwrap();
        wire.send(&sender.request(&naming(TOKENS[1])).unwrap()).await.unwrap();
        wires.push(wire);
    }
    let under_way =
        eventually("all are under way", async || match counter(&ingress, "finlinkd_ingress_in_flight").await {
            count if count == HUNG_UP as u64 => Ok(()),
            count => Err(format!("{count} are")),
        });
    under_way.await;
    drop(wires);
    ingress.stop().await.unwrap();

    proxy.set(Fault::Reset);
    proxy.set(Fault::None);
    let consumer = cluster.start("consumer-1").await;
    let ingress = cluster.start("ingress-1").await;
    drained(&ingress).await;
    acknowledged.push(cluster.sender(&ingress).await.send(TOKENS[0]).await.unwrap());
    cluster.person().finds(&acknowledged).await;
    let kept = eventually("what was under way is listed", async || match cluster.person().webhooks().await.len() {
        count if count == HUNG_UP + acknowledged.len() => Ok(()),
        count => Err(format!("{count} webhooks are")),
    });
    kept.await;
    ingress.stop().await.unwrap();
    cluster.person().books_are_right(2).await;
    consumer.stop().await.unwrap();
}
