//! `GET /v1/events`: pages and long polls.

use std::time::Duration;

use feed::Settings;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::scene::{MINUTE, Scene};
use crate::served::{Served, quick};

/// Under which a poll that is not woken hangs until the test is stopped from outside.
fn patient() -> Settings {
    Settings { wait_max: 600 * MINUTE, ..quick() }
}

async fn some_events() -> Scene {
    let scene = Scene::new(&["main", "other"]).await;
    for n in 1..=6 {
        scene.sync(if n % 3 == 0 { "other" } else { "main" }, &format!("CONN{:06}", n % 2), n).await;
    }
    scene.number().await;
    scene
}

fn sequences(page: &Value) -> Vec<u64> {
    page["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["sequence"].as_str().unwrap().parse().unwrap())
        .collect()
}

#[tokio::test]
async fn pages_give_every_event_once_with_its_number() {
    let scene = some_events().await;
    let api = Served::new(&scene, quick());
    let (mut read, mut after) = (Vec::new(), 0);
    loop {
        let page = api.json(&format!("/v1/events?after={after}&limit=4")).await;
        let events = page["events"].as_array().unwrap();
        if events.is_empty() {
            assert_eq!(page["next"], after);
            break;
        }
        read.extend(events.clone());
        after = page["next"].as_u64().unwrap();
    }

    let all = scene.all().await;
    assert_eq!(read.len(), all.len());
    for (event, entry) in read.iter().zip(&all) {
        let mut expected: Value = serde_json::from_str(&entry.event).unwrap();
        expected["sequence"] = json!(entry.number.to_string());
        assert_eq!((event, &event["specversion"]), (&expected, &json!("1.0")));
    }
    api.stopped().await;
}

#[tokio::test]
async fn a_filter_leaves_out_the_others_and_still_moves_on() {
    let scene = some_events().await;
    let api = Served::new(&scene, quick());
    let all = scene.all().await;
    let last = all.last().unwrap().number;

    let page = api.json("/v1/events?app=other").await;
    let expected: Vec<u64> = all.iter().filter(|entry| entry.app.as_str() == "other").map(|e| e.number).collect();
    assert_eq!(sequences(&page), expected);
    let page = api.json("/v1/events?token=CONN000001&app=main").await;
    let of_one = |e: &&store::FeedEntry| e.token.as_str() == "CONN000001" && e.app.as_str() == "main";
    assert_eq!(sequences(&page), all.iter().filter(of_one).map(|e| e.number).collect::<Vec<_>>());
    let page = api.json("/v1/events?token=NOBODY").await;
    assert_eq!((sequences(&page), page["next"].as_u64()), (Vec::new(), Some(last)));
    api.stopped().await;
}

#[tokio::test]
async fn a_number_not_given_yet_waits_for_its_events() {
    let scene = some_events().await;
    let api = Served::new(&scene, quick());
    let page = api.json("/v1/events?after=1000&wait=10ms").await;
    assert_eq!(page, json!({ "events": [], "next": 1000 }));
    let page = api.json("/v1/events?after=latest").await;
    assert_eq!(page, json!({ "events": [], "next": scene.all().await.last().unwrap().number }));
    api.stopped().await;
}

#[tokio::test]
async fn a_long_poll_wakes_when_an_event_is_committed() {
    let scene = some_events().await;
    let api = Served::new(&scene, patient());
    let last = scene.all().await.last().unwrap().number;
    let path = format!("/v1/events?after={last}&wait=5h");
    let commit = async {
        api.until("finlinkd_api_waiting", 1).await;
        scene.sync("main", "CONN000009", 1).await;
    };

    let (page, ()) = tokio::join!(api.json(&path), commit);

    assert_eq!((sequences(&page)[0], &page["events"][0]["subject"]), (last + 1, &json!("CONN000009")));
    api.stopped().await;
}

#[tokio::test]
async fn a_filtered_long_poll_sleeps_through_the_events_of_others() {
    let scene = some_events().await;
    let api = Served::new(&scene, patient());
    let commit = async {
        api.until("finlinkd_api_waiting", 1).await;
        for minute in 10..15 {
            scene.sync("main", "CONN000001", minute).await;
            scene.number().await;
        }
        scene.sync("other", "CONN000008", 1).await;
    };
    let (page, ()) = tokio::join!(api.json("/v1/events?after=latest&app=other&wait=5h"), commit);
    assert_eq!(page["events"][0]["subject"], "CONN000008");
    api.stopped().await;
}

#[tokio::test]
async fn a_stop_answers_those_who_wait() {
    let scene = some_events().await;
    let api = Served::new(&scene, patient());
    let waiting = tokio::spawn(api.get("/v1/events?after=latest&wait=5h").send());
    api.until("finlinkd_api_waiting", 1).await;

    api.stopped().await;

    let answer = waiting.await.unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.json::<Value>().await.unwrap()["events"], json!([]));
}

#[tokio::test]
async fn no_more_wait_than_the_setting_says() {
    let scene = some_events().await;
    let api = Served::new(&scene, Settings { waiting_max: 1, ..patient() });
    let path = "/v1/events?after=latest&wait=5h";
    let waiting = tokio::spawn(api.get(path).send());
    api.until("finlinkd_api_waiting", 1).await;

    let answer = api.get(path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "5");
    assert_eq!(api.json("/v1/events?after=0&limit=1").await["next"], 1, "who does not wait is served");

    // A client that goes away leaves its place.
    waiting.abort();
    api.until("finlinkd_api_waiting", 0).await;
    assert_eq!(sequences(&api.json("/v1/events?after=0&limit=1&wait=5h").await), [1]);
    api.stopped().await;
}

#[tokio::test]
async fn time_that_is_up_answers_with_nothing() {
    let scene = some_events().await;
    let api = Served::new(&scene, quick());
    let wait = humantime(Duration::from_millis(20));
    assert_eq!(api.json(&format!("/v1/events?after=latest&wait={wait}")).await["events"], json!([]));
    api.stopped().await;
}

fn humantime(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}
