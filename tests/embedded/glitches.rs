//! Finlink's API says wrong things for a while: nothing is deleted by a glitch, and a real deletion is found, and undone.

use serde_json::{Value, json};
use tests::binary::Finlinkd;
use tests::finlink::{Asked, ConnectionStatus, Endpoint, Fault};
use tests::looking::{array, counter, eventually};
use tests::scene::Scene;

const TOKENS: [&str; 3] = ["AAAAAAAAAA", "BBBBBBBBBB", "CCCCCCCCCC"];

async fn started(scene: &Scene) -> Finlinkd {
    scene.put_all(&TOKENS.map(ConnectionStatus::ready));
    let running = scene.setup.run().await.unwrap();
    scene.converges(&running).await;
    running
}

/// The types of the feed's events about a connection, in order.
async fn told_of(running: &Finlinkd, token: &str) -> Vec<String> {
    let feed = running.api("/v1/events?after=0&limit=1000").await.unwrap().json().unwrap();
    let events = array(feed["events"].clone()).into_iter();
    let events = events.filter(|event| event["data"]["connection"]["token"] == token);
    events.map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

/// Nothing of the three is missing, and no event says so.
async fn nothing_is_deleted(scene: &Scene, running: &Finlinkd) {
    let deleted = scene.setup.json(&["connections", "list", "--deleted", "--json"]).await.unwrap();
    assert_eq!(deleted, json!([]));
    assert_eq!(scene.person().connections().await.len(), TOKENS.len());
    for token in TOKENS {
        let told = told_of(running, token).await;
        assert!(!told.iter().any(|kind| kind.contains("deleted")), "{token}: {told:?}");
    }
}

fn answered(asked: &[Asked], endpoint: Endpoint, status: u16) -> usize {
    asked.iter().filter(|asked| asked.endpoint == endpoint && asked.status == status).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_single_questions_deny_and_lists_have_stays() {
    let scene = Scene::brisk().await;
    let running = started(&scene).await;
    scene.finlink.world(|world| world.set_hidden("AAAAAAAAAA", true));
    scene.sender(&running).await.send("AAAAAAAAAA").await.unwrap();
    let denied = |asked: &Vec<Asked>| answered(asked, Endpoint::Single, 404) >= 3;
    scene.finlink.wait_until_asked("three denials", denied).await.unwrap();
    scene.finlink.wait_for_more(Endpoint::List, 3).await.unwrap();
    nothing_is_deleted(&scene, &running).await;
    scene.finlink.world(|world| world.set_hidden("AAAAAAAAAA", false));
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA").failed(false));
    scene.sender(&running).await.send("AAAAAAAAAA").await.unwrap();
    scene.converges(&running).await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_are_empty_cut_or_broken_delete_nothing() {
    let scene = Scene::brisk().await;
    let running = started(&scene).await;
    for fault in [Fault::Empty, Fault::Cut, Fault::Status(500), Fault::Status(404), Fault::Text("[{\"status\":1}]")] {
        scene.finlink.world(|world| world.set_fault(Endpoint::List, Some(fault.clone())));
        scene.finlink.wait_for_more(Endpoint::List, 3).await.unwrap();
        nothing_is_deleted(&scene, &running).await;
    }
    // What the list does not tell is still learned one by one.
    scene.put(&ConnectionStatus::ready("BBBBBBBBBB").failed(true));
    scene.sender(&running).await.send("BBBBBBBBBB").await.unwrap();
    scene.converges(&running).await;
    scene.finlink.world(|world| world.set_fault(Endpoint::List, None));
    nothing_is_deleted(&scene, &running).await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_single_answers_change_nothing() {
    let scene = Scene::brisk().await;
    let running = started(&scene).await;
    let before = scene.person().connections().await;
    let odd = [
        Fault::Cut,
        Fault::Text(""),
        Fault::Text("null"),
        Fault::Text("[]"),
        Fault::Text(r#"{"message":"success"}"#),
        Fault::Text(r#"{"credentialsToken":"ZZZZZZZZZZ","status":"ERRORED"}"#),
        Fault::Status(200),
        Fault::Status(302),
        Fault::Status(410),
    ];
    let sender = scene.sender(&running).await;
    for fault in odd {
        scene.finlink.world(|world| world.set_fault(Endpoint::Single, Some(fault.clone())));
        sender.send("AAAAAAAAAA").await.unwrap();
        scene.finlink.wait_for_more(Endpoint::Single, 1).await.unwrap();
    }
    scene.finlink.wait_for_more(Endpoint::List, 2).await.unwrap();
    let versions = |listed: &[Value]| listed.iter().map(|one| one["version"].clone()).collect::<Vec<_>>();
    assert_eq!(versions(&scene.person().connections().await), versions(&before));
    nothing_is_deleted(&scene, &running).await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_deletion_is_found_told_of_and_undone_when_the_connection_is_back() {
    let scene = Scene::brisk().await;
    let running = started(&scene).await;
    let before = scene.finlink.asked().len();
    scene.delete("AAAAAAAAAA");
    scene.converges(&running).await;
    let deleted = array(scene.setup.json(&["connections", "list", "--deleted", "--json"]).await.unwrap());
    assert_eq!(deleted.len(), 1, "{deleted:?}");
    assert_eq!(deleted[0]["token"], "AAAAAAAAAA");
    assert!(deleted[0]["deleted_at"].is_string(), "{}", deleted[0]);
    let asked = &scene.finlink.asked()[before..];
    let denials: Vec<_> = asked.iter().filter(|asked| asked.subject == "AAAAAAAAAA" && asked.status == 404).collect();
    assert!(denials.len() >= 2, "one denial proves nothing: {denials:?}");
    assert!(answered(asked, Endpoint::List, 200) >= 2, "neither does one list");

    scene.put(&ConnectionStatus::ready("AAAAAAAAAA").with_update_token());
    scene.converges(&running).await;
    let told = eventually("the feed tells of both", async || {
        let told = told_of(&running, "AAAAAAAAAA").await;
        let has = |word: &str| told.contains(&format!("finlinkd.connection.{word}.v1"));
        if has("deleted") && has("revived") { Ok(told) } else { Err(format!("{told:?}")) }
    });
    let told = told.await;
    let place = |word: &str| told.iter().position(|kind| *kind == format!("finlinkd.connection.{word}.v1"));
    assert!(place("deleted") < place("revived"), "{told:?}");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn when_everything_is_gone_at_once_a_person_decides() {
    let scene = Scene::brisk().await;
    let many: Vec<String> = (0..10).map(|number| format!("CONNECT{number:03}")).collect();
    for token in &many {
        scene.put(&ConnectionStatus::ready(token));
    }
    let running = started(&scene).await;
    for token in &many {
        scene.delete(token);
    }
    eventually("ten deletions are held", async || {
        let held = counter(&running, r#"finlinkd_deletions_held{app="main"}"#).await;
        if held == 10 { Ok(()) } else { Err(format!("{held} are")) }
    })
    .await;
    let deleted = scene.setup.json(&["connections", "list", "--deleted", "--json"]).await.unwrap();
    assert_eq!(deleted, json!([]));
    let told = scene.setup.json(&["connections", "explain", "CONNECT000", "--json"]).await.unwrap();
    assert!(told["sentence"].as_str().unwrap().contains("operator"), "{told}");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_goes_back_in_time_does_not_count_before_it_is_repeated() {
    let mut scene = Scene::brisk().await;
    scene.setup.set("SCHEDULE__SECOND_LOOK", "2s");
    let stale = ConnectionStatus::pending("AAAAAAAAAA").failed(true);
    let running = started(&scene).await;
    let fresh = ConnectionStatus::ready("AAAAAAAAAA");
    scene.put(&fresh);
    scene.converges(&running).await;
    let truth = scene.truth();
    scene.put(&stale);
    scene.sender(&running).await.send("AAAAAAAAAA").await.unwrap();
    scene.finlink.wait_for_more(Endpoint::Single, 1).await.unwrap();
    scene.put(&fresh);
    scene.finlink.wait_for_more(Endpoint::List, 3).await.unwrap();
    assert_eq!(scene.truth(), truth);
    scene.converges(&running).await;
    let told = told_of(&running, "AAAAAAAAAA").await;
    assert!(!told.iter().any(|kind| kind.contains("failed")), "a lagging replica was taken for the truth: {told:?}");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_words_fields_and_odd_clocks_are_kept_and_stop_nothing() {
    let scene = Scene::brisk().await;
    let running = started(&scene).await;
    let odd = ConnectionStatus {
        status: "HIBERNATING".to_owned(),
        created_at: "1970-01-01T00:00:00.000Z".to_owned(),
        updated_at: Some("2099-12-31T23:59:59.999Z".to_owned()),
        last_sync: Some("2099-12-31T23:59:59.999Z".to_owned()),
        entity: "bank\u{0}\u{202e} \"of\" \u{1f41f}".to_owned(),
        external_id: None,
        ..ConnectionStatus::pending("NEWWORDAAA")
    };
    scene.put(&odd);
    scene.converges(&running).await;
    // Bare: nothing but what is known to be always there.
    scene.finlink.world(|world| {
        world.put_json(
            &scene.app.client_id,
            "BAREAAAAAA",
            json!({"credentialsToken": "BAREAAAAAA", "status": "READY"}),
        );
    });
    scene.converges(&running).await;
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA").failed(true));
    scene.converges(&running).await;
    running.stop().await.unwrap();
}
