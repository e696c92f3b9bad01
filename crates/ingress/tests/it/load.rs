//! Many senders at once.

use std::collections::BTreeSet;

use ingress::Outcome;
use tokio::task::JoinSet;

use crate::harness::{BODY, Receiver};
use crate::raw::Client;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_connections_get_a_receipt_of_their_own_for_each_webhook() {
    const CONNECTIONS: usize = 200;
    const EACH: usize = 5;
    let receiver = Receiver::start();
    let mut senders = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (address, webhook) = (receiver.address, receiver.webhook(BODY));
        senders.spawn(async move {
            let mut client = Client::connect(address).await;
            let mut receipts = Vec::new();
            for _ in 0..EACH {
                client.send(&webhook).await;
                let answer = client.answer().await;
                assert_eq!(answer.status, 200, "{answer:?}");
                let answer: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
                receipts.push(answer["receipt"].as_str().unwrap().to_owned());
            }
            receipts
        });
    }
    let receipts: BTreeSet<_> = senders.join_all().await.into_iter().flatten().collect();
    assert_eq!(receipts.len(), CONNECTIONS * EACH);
    assert_eq!(receiver.counted("main", Outcome::Accepted), (CONNECTIONS * EACH) as u64);
    let queue = receiver.stopped().await;
    let stored: BTreeSet<_> = queue.webhooks().iter().map(|webhook| webhook.receipt.to_string()).collect();
    assert_eq!(stored, receipts);
    let sequences: BTreeSet<_> = queue.webhooks().iter().map(|webhook| webhook.sequence).collect();
    assert!(sequences.into_iter().eq(1..=(CONNECTIONS * EACH) as u64));
    let mark = queue.marks().pop().unwrap();
    assert!(mark.last && mark.decided_through == (CONNECTIONS * EACH) as u64, "{mark:?}");
}
