//! `GET /v1/connections` and `/v1/connections/{token}`.

use std::time::Duration;

use events::UtcMicros;
use feed::Settings;
use reqwest::StatusCode;
use serde_json::{Value, json};
use store::Inspect;

use crate::scene::{MINUTE, Scene, Seen, token};
use crate::served::{Served, quick};

fn tokens(listing: &Value) -> Vec<&str> {
    listing["connections"].as_array().unwrap().iter().map(|row| row["token"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_listing_is_filtered_and_paged() {
    let scene = Scene::new(&["main", "other"]).await;
    let names: Vec<String> = (0..7).map(|n| format!("CONN{n:06}")).collect();
    for (n, name) in names.iter().enumerate() {
        let mut seen = Seen::ready(name, 1);
        seen.status = if n % 2 == 0 { "READY" } else { "ERRORED" };
        seen.external_id = (n == 3).then_some("customer 3");
        scene.observe(if n < 5 { "main" } else { "other" }, &[seen]).await;
    }
    let api = Served::new(&scene, quick());

    let all = api.json("/v1/connections").await;
    assert_eq!((tokens(&all), &all["next"]), (names.iter().map(String::as_str).collect(), &Value::Null));
    assert_eq!(tokens(&api.json("/v1/connections?app=other").await), ["CONN000005", "CONN000006"]);
    assert_eq!(tokens(&api.json("/v1/connections?status=ERRORED&app=main").await), ["CONN000001", "CONN000003"]);
    assert_eq!(tokens(&api.json("/v1/connections?external_id=customer%203").await), ["CONN000003"]);
    assert_eq!(api.json("/v1/connections?deleted=true").await, json!({ "connections": [], "next": null }));
    assert_eq!(tokens(&api.json("/v1/connections?deleted=any").await).len(), 7);

    let (mut paged, mut after) = (Vec::new(), String::new());
    loop {
        let page = api.json(&format!("/v1/connections?limit=3{after}")).await;
        paged.extend(tokens(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(paged, names);
    api.stopped().await;
}

#[tokio::test]
async fn one_connection_is_shown_with_its_date_and_never_cached() {
    let scene = Scene::new(&["main"]).await;
    scene.sync("main", "CONN000001", 1).await;
    let api = Served::new(&scene, quick());

    let answer = api.get("/v1/connections/CONN000001").send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let shown: Value = answer.json().await.unwrap();
    let stored = scene.store.connection(&token("CONN000001")).await.unwrap().pop().unwrap();
    assert_eq!(shown, serde_json::to_value(stored).unwrap());

    for unknown in ["CONN000002", "not%20a%20token", "CONN000001?app=other"] {
        let answer = api.get(&format!("/v1/connections/{unknown}")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{unknown}");
    }
    api.stopped().await;
}

#[tokio::test]
async fn a_token_of_several_apps_needs_the_app() {
    let scene = Scene::new(&["main", "other"]).await;
    scene.sync("main", "CONN000001", 1).await;
    scene.sync("other", "CONN000001", 2).await;
    let api = Served::new(&scene, quick());

    let answer = api.get("/v1/connections/CONN000001").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    let problem: Value = answer.json().await.unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("main, other"), "{problem}");
    assert_eq!(api.json("/v1/connections/CONN000001?app=other").await["app"], "other");
    api.stopped().await;
}

/// A connection that was read an hour ago.
async fn stale() -> Scene {
    let scene = Scene::new(&["main"]).await;
    let as_of = UtcMicros::now().minus(60 * MINUTE);
    scene.observe("main", &[Seen { as_of, ..Seen::ready("CONN000001", 1) }]).await;
    scene
}

#[tokio::test]
async fn fresh_within_asks_for_a_read_and_waits_for_it() {
    let scene = stale().await;
    let api = Served::new(&scene, Settings { fresh_wait_max: 60 * MINUTE, ..quick() });
    let reconciler = async {
        let (app, token) = ("main".parse().unwrap(), token("CONN000001"));
        loop {
            let refresh = scene.store.explain(&app, &token).await.unwrap().refresh.unwrap();
            if refresh.hint_no > refresh.answered_no {
                return scene.sync("main", "CONN000001", 2).await;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };

    let (shown, ()) = tokio::join!(api.json("/v1/connections/CONN000001?fresh_within=60s"), reconciler);

    let stored = scene.store.connection(&token("CONN000001")).await.unwrap().pop().unwrap();
    assert_eq!((&shown["fresh"], &shown["as_of"]), (&json!(true), &json!(stored.as_of)));
    let again = api.json("/v1/connections/CONN000001?fresh_within=1h").await;
    assert_eq!(again["fresh"], true, "new enough: nobody is asked");
    api.stopped().await;
}

#[tokio::test]
async fn a_row_that_cannot_be_read_in_time_is_given_as_it_is_and_says_so() {
    let scene = stale().await;
    let api = Served::new(&scene, Settings { fresh_wait_max: Duration::from_millis(20), ..quick() });
    let shown = api.json("/v1/connections/CONN000001?fresh_within=60s").await;
    assert_eq!((&shown["fresh"], &shown["token"]), (&json!(false), &json!("CONN000001")));
    api.stopped().await;

    let api = Served::new(&scene, Settings { fresh_wait_max: 60 * MINUTE, fresh_waiting_max: 0, ..quick() });
    let shown = api.json("/v1/connections/CONN000001?fresh_within=60s").await;
    assert_eq!(shown["fresh"], false, "no more than the setting says may wait");
    api.stopped().await;
}
