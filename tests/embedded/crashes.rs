//! SIGKILL under load, again and again: what was acknowledged is there, and the connections converge.

use std::collections::BTreeMap;

use tests::finlink::ConnectionStatus;

use super::scene::{Scene, array, eventually};

const ROUNDS: usize = 5;
const TOKENS: [&str; 6] = ["AAAAAAAAAA", "BBBBBBBBBB", "CCCCCCCCCC", "DDDDDDDDDD", "EEEEEEEEEE", "FFFFFFFFFF"];

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_webhook_survives_sigkill_under_load() {
    let scene = Scene::brisk().await;
    let mut connections = TOKENS.map(ConnectionStatus::pending);
    scene.put_all(&connections);
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let running = scene.setup.run().await.unwrap();
        let flood = scene.sender(&running).await.flood(&TOKENS, 8).unwrap();
        // A moment that is another one each time, and in the middle of what is going on.
        flood.accepts(fastrand::usize(20..150)).await.unwrap();
        let changed = &mut connections[round % TOKENS.len()];
        *changed = changed.clone().synced();
        scene.put(changed);
        flood.accepts(flood.accepted() + fastrand::usize(1..100)).await.unwrap();
        running.kill().await.unwrap();
        acknowledged.extend(flood.ended().await.unwrap().receipts);
    }
    let running = scene.setup.run().await.unwrap();
    scene.converges(&running).await;
    scene.keeps(&acknowledged).await;

    let versions = eventually("the feed has every connection's newest version once", async || {
        let events = running.api("/v1/events?after=0&limit=1000").await.unwrap().json().unwrap();
        let mut versions: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        let mut ids: Vec<String> = Vec::new();
        for event in array(events["events"].clone()) {
            let connection = &event["data"]["connection"];
            let of_one = versions.entry(connection["token"].as_str().unwrap().to_owned()).or_default();
            of_one.push(connection["version"].as_u64().unwrap());
            ids.push(event["id"].as_str().unwrap().to_owned());
        }
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), count, "an event came twice: {events:#}");
        let listed = scene.listed().await;
        let newest = |token: &str| versions.get(token).and_then(|versions| versions.last()).copied();
        let complete = listed.iter().all(|one| newest(one["token"].as_str().unwrap()) == one["version"].as_u64());
        if complete { Ok(versions) } else { Err(format!("{listed:#?}, {versions:?}")) }
    });
    for (token, versions) in versions.await {
        assert!(versions.is_sorted(), "{token} went back: {versions:?}");
    }
    running.stop().await.unwrap();
}
