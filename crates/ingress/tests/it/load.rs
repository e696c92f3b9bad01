//! Many senders at once, over the scripted queue and over the real one.

use std::collections::BTreeSet;
use std::time::Duration;

use ingress::Outcome;
use queue::embedded::EmbeddedQueue;
use queue::{BatchLimits, Content, Message};
use tokio::task::JoinSet;
use verification::Mode;

use crate::harness::{BODY, Receiver, settings};
use crate::raw::Client;

const CONNECTIONS: usize = 200;
const EACH: usize = 5;
const ALL: u64 = (CONNECTIONS * EACH) as u64;

/// Sends [`ALL`] webhooks over 200 connections; gives the receipts.
async fn flood(receiver: &Receiver) -> BTreeSet<String> {
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
    senders.join_all().await.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_connections_get_a_receipt_of_their_own_for_each_webhook() {
    let receiver = Receiver::start();
    let receipts = flood(&receiver).await;
    assert_eq!(receipts.len() as u64, ALL);
    assert_eq!(receiver.counted("main", Outcome::Accepted), ALL);
    let queue = receiver.stopped().await;
    let stored: BTreeSet<_> = queue.webhooks().iter().map(|webhook| webhook.receipt.to_string()).collect();
    assert_eq!(stored, receipts);
    let sequences: BTreeSet<_> = queue.webhooks().iter().map(|webhook| webhook.sequence).collect();
    assert!(sequences.into_iter().eq(1..=ALL));
    let mark = queue.marks().pop().unwrap();
    assert!(mark.last && mark.decided_through == ALL, "{mark:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_receipt_is_in_the_embedded_queue_when_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let settings = queue::Settings { folder: folder.path().to_owned(), ..queue::Settings::default() };
        EmbeddedQueue::open(&settings).unwrap()
    };
    let queue = open();
    let receiver = Receiver::build(settings(), Mode::Enforce, Some(queue.publisher()));
    let receipts = flood(&receiver).await;
    receiver.stopped().await;
    queue.close().await;

    let queue = open();
    let mut subscription = queue.subscribe();
    let limits = BatchLimits { count_max: 100, bytes_max: usize::MAX, linger: Duration::ZERO };
    let (mut stored, mut last) = (BTreeSet::new(), None);
    while last.is_none() {
        let batch = subscription.next_batch(&limits).await.unwrap();
        for delivery in batch.deliveries() {
            match &delivery.content {
                Content::Message(Message::Webhook(webhook)) => _ = stored.insert(webhook.receipt.to_string()),
                Content::Message(Message::Checkpoint(mark)) => last = mark.last.then_some(mark.decided_through),
                Content::TooLarge { reason, .. } | Content::Foreign { reason, .. } => panic!("{reason}"),
            }
        }
        batch.ack().await.unwrap();
    }
    assert_eq!(stored, receipts);
    assert_eq!(last, Some(ALL), "the last mark is the last message");
    drop(subscription);
    queue.close().await;
}
