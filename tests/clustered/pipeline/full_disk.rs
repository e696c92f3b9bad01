//! A disk that is full, under the spool of an ingress whose broker is away: first by the spool, then truly, by someone else.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use tests::binary::Finlinkd;
use tests::circumstances::on_a_disk_of;
use tests::cluster::{Cluster, TOKENS};
use tests::http::Message;
use tests::looking::{counter, drained, is_said_to_be};
use tests::proxy::{Fault, FaultProxy};
use tests::sender::{Sender, receipt};

use crate::broker;

/// For everything that an ingress keeps: twice what a spool leaves free.
const DISK_BYTES: u64 = 32 * 1024 * 1024;
/// Of one webhook.
const BODY_BYTES: usize = 200_000;
/// More cannot be on that disk.
const WEBHOOKS_MAX: usize = 160;

fn webhook(number: usize) -> Vec<u8> {
    let (token, filling) = (TOKENS[number % TOKENS.len()], "x".repeat(BODY_BYTES));
    format!(r#"{{"connectionToken":"{token}","number":{number},"filling":"{filling}"}}"#).into_bytes()
}

/// Sends webhooks until one is refused.
async fn fill(sender: &Sender) -> (Vec<String>, Message) {
    let mut acknowledged = Vec::new();
    loop {
        let answer = sender.post(&webhook(acknowledged.len())).await.unwrap();
        match receipt(&answer) {
            Ok(receipt) => acknowledged.push(receipt),
            Err(_) => return (acknowledged, answer),
        }
        assert!(acknowledged.len() < WEBHOOKS_MAX, "it takes more than there is room for");
    }
}

/// Someone else writes to the disk of a process until nothing goes on it any more.
fn fill_the_rest(ingress: &Finlinkd, folder: &std::path::Path) -> PathBuf {
    // Its disk is its own, and is seen through it.
    let path = PathBuf::from(format!("/proc/{}/root{}/filling", ingress.id(), folder.display()));
    let mut file = std::fs::File::create(&path).unwrap();
    for size in [65_536, 4_096] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_what_it_cannot_keep_and_keeps_what_it_has_taken() {
    let cluster = Cluster::shared().await;
    let consumer = cluster.start("consumer-1").await;
    let at = SocketAddr::from(([127, 0, 0, 1], broker::shared().port()));
    let proxy = FaultProxy::start(at).await.unwrap();
    proxy.set(Fault::Refuse);
    let folder = cluster.folder_of("ingress-1");
    let address = cluster.queue.address_of("ingress").replace(&at.to_string(), &proxy.address().to_string());
    let setup = cluster.setup("ingress-1").with("QUEUE__URL", &address).with("SPOOL__RESERVE_BYTES", "0");
    let ingress = on_a_disk_of(setup, DISK_BYTES, &folder).unwrap().run_role("ingress").await.unwrap();
    let sender = cluster.sender(&ingress).await;

    let (mut acknowledged, refused) = fill(&sender).await;
    assert!(acknowledged.len() > 10, "{}\n{}", refused.text(), ingress.last_lines());
    assert_eq!(refused.status(), 503, "{}", refused.text());
    assert!(refused.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok()), "{refused:?}");
    let said = is_said_to_be(&ingress, Some("queue"), "unready").await;
    assert!(said.to_string().contains("are reserved"), "{said:#}");
    assert_ne!(counter(&ingress, r#"finlinkd_ingress_requests_total{app="main",outcome="queue_full"}"#).await, 0);

    let filling = fill_the_rest(&ingress, &folder);
    assert_eq!(sender.post(&webhook(0)).await.unwrap().status(), 503);
    // The broker is back: it takes what comes, whatever the disk is like.
    proxy.set(Fault::None);
    is_said_to_be(&ingress, Some("queue"), "ready").await;
    acknowledged.push(sender.send(TOKENS[0]).await.unwrap());
    std::fs::remove_file(filling).unwrap();
    drained(&ingress).await;
    cluster.person().finds(&acknowledged).await;
    ingress.stop().await.unwrap();
    cluster.person().books_are_right(1).await;
    consumer.stop().await.unwrap();
}
