//! What is on record is kept for as long as the settings say, and what it led to for ever.

use serde_json::Value;
use sqlite::rusqlite::Connection;
use tests::finlink::ConnectionStatus;
use tests::looking::{array, counter, eventually};
use tests::scene::Scene;

/// Everything on record becomes this much older, as if the pipeline had been stopped for so long.
fn age_by_days(scene: &Scene, days: i64) {
    let micros = days * 86_400_000_000;
    let file = Connection::open(scene.folder().join("store.sqlite")).unwrap();
    let aged = format!(
        "UPDATE deliveries SET recorded_at = recorded_at - {micros};
         UPDATE outbox SET committed_at = committed_at - {micros}"
    );
    file.execute_batch(&aged).unwrap();
}

async fn verdicts(scene: &Scene) -> Vec<Value> {
    let runs = array(scene.person().ask(&["ledger", "verify", "--json"]).await);
    let told = |run: &Value| Value::from(vec![run["instance"].clone(), run["verdict"].clone(), run["stored"].clone()]);
    runs.iter().map(told).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_is_purged_and_the_proof_and_the_connections_stay() {
    let mut scene = Scene::plain().await;
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA"));
    scene.setup.set("RULES__ANNOUNCE_EXISTING", "true");
    let running = scene.setup.run().await.unwrap();
    let sender = scene.sender(&running).await;
    let mut receipts = scene.introduces(&sender, &running).await;
    for _ in 0..3 {
        receipts.push(sender.send("AAAAAAAAAA").await.unwrap());
    }
    scene.person().finds_decided(&receipts, &[]).await;
    scene.converges(&running).await;
    eventually("an event is numbered", async || {
        let events = running.api("/v1/events").await.unwrap().json().unwrap();
        if events["events"].as_array().unwrap().is_empty() { Err(events.to_string()) } else { Ok(()) }
    })
    .await;
    running.stop().await.unwrap();
    let before = verdicts(&scene).await;
    assert_eq!(before.len(), 1);

    age_by_days(&scene, 8);
    scene.setup.set("RETENTION__DELIVERIES", "7d");
    scene.setup.set("RETENTION__EVENTS", "7d");
    let running = scene.setup.run().await.unwrap();
    let purged = running.said("purged what retention does not keep").await.unwrap();
    assert_eq!(purged["deliveries"], receipts.len());
    assert!(scene.person().webhooks().await.is_empty());
    let after = verdicts(&scene).await;
    assert!(after.contains(&before[0]), "{before:?} is not in {after:?}");
    scene.converges(&running).await;
    let counted = counter(&running, r#"finlinkd_purged_total{kind="deliveries"}"#).await;
    assert_eq!(counted, receipts.len() as u64);

    let shown = scene.setup.output(&["webhooks", "show", &receipts[0]]).await.unwrap();
    let told = String::from_utf8(shown.stderr).unwrap();
    assert!(shown.status.code() == Some(1) && told.contains("retention.deliveries"), "{told}");
    let gone = running.api("/v1/events?after=0").await.unwrap();
    assert_eq!(gone.status(), 410);
    let tail = async |after: &str| scene.setup.output(&["events", "tail", "--after", after]).await.unwrap();
    let told = String::from_utf8(tail("0").await.stderr).unwrap();
    let place = told.trim().rsplit("--after ").next().unwrap().to_owned();
    assert!(told.contains("are gone"), "{told}");
    assert_eq!(tail(&place).await.status.code(), Some(0));
    assert_eq!(running.api(&format!("/v1/events?after={place}")).await.unwrap().status(), 200);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_too_shortly_is_told_before_anything_starts() {
    let scene = Scene::plain().await;
    for (name, value) in
        [("RETENTION__DELIVERIES", "6d"), ("RETENTION__EVENTS", "1h"), ("RETENTION__PURGE_EVERY", "0s")]
    {
        let setup = scene.setup.clone().with(name, value);
        for command in ["run", "check-config"] {
            let output = setup.output(&[command]).await.unwrap();
            let told = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(64), "{told}");
            assert!(told.contains(&format!("FINLINKD__{name}")) && told.contains("expected"), "{told}");
        }
    }
}
