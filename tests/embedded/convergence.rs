//! Webhooks twice, out of order and not at all: the table of connections comes out right, and the feed says how.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tests::binary::Finlinkd;
use tests::finlink::{ConnectionStatus, Endpoint};
use tests::sender::{naming, receipt};
use tests::signing::sha256;

use super::scene::{APP, Scene, array, bare, eventually};

/// Every event of the feed, by the numbers in it.
async fn feed(running: &Finlinkd) -> Vec<Value> {
    let mut events = Vec::new();
    let mut after = 0;
    loop {
        let page = running.api(&format!("/v1/events?after={after}&limit=7")).await.unwrap().json().unwrap();
        let part = array(page["events"].clone());
        if part.is_empty() {
            return events;
        }
        events.extend(part);
        after = page["next"].as_u64().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_twice_out_of_order_and_not_at_all_end_at_the_truth() {
    let scene = Scene::brisk().await;
    let running = scene.setup.run().await.unwrap();
    let sender = scene.sender(&running).await;
    let tokens = ["AAAAAAAAAA", "BBBBBBBBBB", "CCCCCCCCCC", "DDDDDDDDDD"];
    let mut connections: Vec<_> = tokens.iter().map(|token| ConnectionStatus::pending(token)).collect();
    let mut sent = Vec::new();
    for round in 0..5 {
        for (number, connection) in connections.iter_mut().enumerate() {
            *connection = match (round + number) % 4 {
                0 => connection.clone().synced(),
                1 => connection.clone().failed(true),
                2 => connection.clone().with_update_token(),
                _ => connection.clone().blocked(),
            };
            scene.put(connection);
        }
        // Told of in the reverse order and twice; the last of all is never told of.
        for token in tokens[..3].iter().rev() {
            sent.push(sender.send(token).await.unwrap());
            sent.push(sender.send(token).await.unwrap());
        }
    }
    scene.converges(&running).await;
    scene.keeps(&sent).await;

    for listed in scene.listed().await {
        assert!(listed["version"].as_u64().unwrap() >= 1, "{listed}");
        assert!(listed["as_of"].as_str().unwrap().ends_with('Z'), "{listed}");
        assert_eq!(listed["deleted_at"], Value::Null);
    }
    assert_eq!(scene.setup.json(&["connections", "--json"]).await.unwrap(), json!(scene.listed().await));

    let webhooks = scene.webhooks().await;
    assert_eq!(webhooks.len(), sent.len());
    let first = sent.iter().filter(|receipt| webhooks[*receipt]["duplicate"] == json!(false));
    assert_eq!(first.count(), 3, "three bodies are different from each other");
    let bodies: BTreeSet<String> = tokens[..3].iter().map(|token| sha256(&naming(token))).collect();
    for webhook in webhooks.values() {
        assert_eq!(webhook["app"], APP);
        assert_eq!(webhook["verification"], "verified");
        assert!(webhook["received_at"].as_str().unwrap().ends_with('Z'), "{webhook}");
        assert!(bodies.contains(webhook["body_sha256"].as_str().unwrap()), "{webhook}");
    }
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_has_each_event_once_and_ends_at_the_truth() {
    let scene = Scene::brisk().await;
    scene.put(&ConnectionStatus::pending("AAAAAAAAAA"));
    scene.put(&ConnectionStatus::ready("BBBBBBBBBB"));
    let running = scene.setup.run().await.unwrap();
    let sender = scene.sender(&running).await;
    scene.converges(&running).await;
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA"));
    sender.send("AAAAAAAAAA").await.unwrap();
    scene.converges(&running).await;
    scene.put(&ConnectionStatus::ready("BBBBBBBBBB").failed(true));
    sender.send("BBBBBBBBBB").await.unwrap();
    sender.send("BBBBBBBBBB").await.unwrap();
    scene.converges(&running).await;
    scene.put(&ConnectionStatus::ready("BBBBBBBBBB").with_update_token());
    scene.converges(&running).await;

    let versions = |connections: &[Value]| -> BTreeMap<String, u64> {
        let version = |one: &Value| (one["token"].as_str().unwrap().to_owned(), one["version"].as_u64().unwrap());
        connections.iter().map(version).collect()
    };
    let events = eventually("the feed has the newest versions", async || {
        let events = feed(&running).await;
        let last: Vec<Value> = events.iter().map(|event| event["data"]["connection"].clone()).collect();
        let listed = scene.listed().await;
        if versions(&last) == versions(&listed) { Ok(events) } else { Err(format!("{events:#?}")) }
    });
    let events = events.await;

    let ids: BTreeSet<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), events.len(), "no event twice: {events:#?}");
    let mut newest: BTreeMap<&str, &Value> = BTreeMap::new();
    for event in &events {
        assert_eq!(event["specversion"], "1.0");
        assert!(event["type"].as_str().unwrap().starts_with("finlinkd.connection."), "{event}");
        let connection = &event["data"]["connection"];
        let token = connection["token"].as_str().unwrap();
        let version = |connection: &Value| connection["version"].as_u64().unwrap();
        if newest.get(token).is_none_or(|known| version(known) <= version(connection)) {
            newest.insert(token, connection);
        }
    }
    assert_eq!(newest.values().map(|connection| bare(connection)).collect::<Vec<_>>(), scene.truth());
    let kinds: BTreeSet<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    for kind in ["discovered", "imported", "update_failed", "recovered", "synced", "update_token_issued"] {
        let kind = format!("finlinkd.connection.{kind}.v1");
        assert!(kinds.contains(kind.as_str()), "{kind} is not among {kinds:?}");
    }
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_alone_brings_a_connection_up_to_date_long_before_its_schedule() {
    let scene = Scene::plain().await;
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA"));
    let setup = scene.setup.clone().with("SCHEDULE__HINTED_READS_APART", "100ms");
    let running = setup.run().await.unwrap();
    scene.converges(&running).await;
    let lists = scene.finlink.count(Endpoint::List);
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA").failed(false));
    let sender = scene.sender(&running).await;
    receipt(&sender.post(&naming("AAAAAAAAAA")).await.unwrap()).unwrap();
    scene.converges(&running).await;
    assert_eq!(scene.finlink.count(Endpoint::List), lists, "one connection is no reason for a list");
    running.stop().await.unwrap();
}
