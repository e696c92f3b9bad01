//! `connections explain`: why a connection is as it is and when it will be looked at again, in words.

use serde_json::Value;
use tests::finlink::ConnectionStatus;
use tests::looking::eventually;
use tests::scene::Scene;

const DAY_MIN: i64 = 24 * 60;

async fn explain(scene: &Scene, token: &str) -> Value {
    scene.setup.json(&["connections", "explain", token, "--json"]).await.unwrap()
}

async fn sentence(scene: &Scene, token: &str) -> String {
    explain(scene, token).await["sentence"].as_str().unwrap().to_owned()
}

/// Minutes from the read of the connection to the next look.
async fn next_look_min(scene: &Scene, token: &str) -> i64 {
    let told = explain(scene, token).await;
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let apart = time(&told["next_look_at"]) - time(&told["connection"]["as_of"]);
    (apart.as_secs_f64() / 60.0).round() as i64
}

#[tokio::test(flavor = "multi_thread")]
async fn each_state_is_explained_with_its_next_look_as_the_schedule_has_it() {
    let scene = Scene::plain().await;
    scene.put(&ConnectionStatus::ready("HEALTHYAAA"));
    scene.put(&ConnectionStatus { two_factor_enabled: true, ..ConnectionStatus::ready("BYHANDAAAA") });
    scene.put(&ConnectionStatus::pending("PENDINGAAA"));
    scene.put(&ConnectionStatus::ready("RETRYABLEA").failed(true));
    scene.put(&ConnectionStatus::ready("BLOCKEDAAA").blocked());
    scene.put(&ConnectionStatus { status: "HIBERNATING".to_owned(), ..ConnectionStatus::ready("NEWWORDAAA") });
    let running = scene.setup.run().await.unwrap();
    scene.converges(&running).await;

    let healthy = sentence(&scene, "HEALTHYAAA").await;
    assert!(healthy.contains("HEALTHYAAA is READY") && healthy.contains("looked at again in"), "{healthy}");
    let pending = sentence(&scene, "PENDINGAAA").await;
    assert!(pending.contains("is PENDING"), "{pending}");
    let errored = sentence(&scene, "RETRYABLEA").await;
    assert!(errored.contains("is UPDATE_ERROR") && errored.contains("the bank did not answer"), "{errored}");
    let blocked = sentence(&scene, "BLOCKEDAAA").await;
    assert!(blocked.contains("person") && blocked.contains("restore token"), "{blocked}");
    let new_word = sentence(&scene, "NEWWORDAAA").await;
    assert!(new_word.contains("is HIBERNATING"), "{new_word}");

    assert_eq!(next_look_min(&scene, "HEALTHYAAA").await, DAY_MIN + 2 * 60);
    assert_eq!(next_look_min(&scene, "BYHANDAAAA").await, 7 * DAY_MIN);
    assert_eq!(next_look_min(&scene, "PENDINGAAA").await, 5);
    assert_eq!(next_look_min(&scene, "RETRYABLEA").await, 60);
    assert_eq!(next_look_min(&scene, "BLOCKEDAAA").await, DAY_MIN);
    assert_eq!(next_look_min(&scene, "NEWWORDAAA").await, DAY_MIN);

    let text = scene.setup.output(&["connections", "explain", "BLOCKEDAAA"]).await.unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.lines().next().unwrap().contains("BLOCKEDAAA is UPDATE_ERROR"), "the sentence first: {text}");
    assert!(text.contains("restore token"), "{text}");
    let unknown = scene.setup.output(&["connections", "explain", "NOBODYAAAA"]).await.unwrap();
    assert_eq!(unknown.status.code(), Some(1));
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_connection_is_explained_by_the_evidence_and_one_that_cannot_be_read_by_the_failure() {
    let scene = Scene::brisk().await;
    scene.put(&ConnectionStatus::ready("DELETEDAAA"));
    scene.put(&ConnectionStatus::ready("STAYINGAAA"));
    let running = scene.setup.run().await.unwrap();
    scene.converges(&running).await;
    scene.delete("DELETEDAAA");
    scene.converges(&running).await;
    let deleted = sentence(&scene, "DELETEDAAA").await;
    assert!(deleted.contains("counts as deleted since"), "{deleted}");

    scene.finlink.world(|world| world.set_down(true));
    let told = eventually("a failed read is told of", async || {
        let told = sentence(&scene, "STAYINGAAA").await;
        if told.contains("is READY") && told.contains("failed") { Ok(told) } else { Err(told) }
    });
    told.await;
    running.stop().await.unwrap();
}
