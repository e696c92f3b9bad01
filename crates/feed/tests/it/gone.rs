//! A reader whose place lies before the oldest event that is kept is told so, whichever way it reads.

use reqwest::{Response, StatusCode};
use serde_json::Value;

use crate::scene::Scene;
use crate::served::{Served, quick};
use crate::sse::Sse;

const STREAM: (&str, &str) = ("accept", "text/event-stream");

/// Three events of `main`, then three of `other`, more or less; those of `main` up to number 2 are purged.
async fn some_are_gone() -> Scene {
    let scene = Scene::new(&["main", "other"]).await;
    for app in ["main", "other"] {
        for minute in 1..=3 {
            scene.sync(app, "CONN000001", minute).await;
        }
    }
    scene.number().await;
    assert_eq!(scene.purge("main", 2).await, 2);
    scene
}

async fn problem(answer: Response) -> Value {
    assert_eq!(answer.status(), StatusCode::GONE);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    answer.json().await.unwrap()
}

#[tokio::test]
async fn whoever_reads_from_before_what_is_kept_is_told_how_to_go_on() {
    let scene = some_are_gone().await;
    let api = Served::new(&scene, quick());
    for path in ["/v1/events", "/v1/events?after=0", "/v1/events?after=1&wait=30s", "/v1/events?after=1&app=main"] {
        let told = problem(api.get(path).send().await.unwrap()).await;
        assert_eq!((&told["title"], &told["status"]), (&"Events gone".into(), &410.into()), "{path}");
        let detail = told["detail"].as_str().unwrap();
        for needed in ["up to number 2", "behind that none is", "/v1/connections", "`after=2`"] {
            assert!(detail.contains(needed), "{path}: {detail}");
        }
    }
    let page = api.json("/v1/events?after=2").await;
    assert_eq!(page["events"][0]["sequence"], "3", "what it was told to do goes on with the oldest that is kept");
    assert_eq!(page["events"].as_array().unwrap().len(), scene.all().await.len());
    api.stopped().await;
}

#[tokio::test]
async fn a_stream_is_told_before_it_begins() {
    let scene = some_are_gone().await;
    let api = Served::new(&scene, quick());
    problem(api.get("/v1/events").header(STREAM.0, STREAM.1).send().await.unwrap()).await;
    let resume = |id: &str| api.get("/v1/events").header(STREAM.0, STREAM.1).header("last-event-id", id).send();
    problem(resume("1").await.unwrap()).await;
    let mut stream = Sse::new(resume("2").await.unwrap());
    assert_eq!(stream.event().await.unwrap().id, 3);
    api.stopped().await;
}

#[tokio::test]
async fn nobody_is_told_who_misses_nothing() {
    let scene = some_are_gone().await;
    let api = Served::new(&scene, quick());
    let page = api.json("/v1/events?app=other").await;
    assert!(!page["events"].as_array().unwrap().is_empty(), "the other app's are all there");
    let page = api.json("/v1/events?after=latest").await;
    assert_eq!(page["events"].as_array().unwrap().len(), 0);
    let last = scene.all().await.last().unwrap().number;
    let latest = api.get(&format!("/v1/events?after={last}")).header(STREAM.0, STREAM.1).send().await.unwrap();
    let mut stream = Sse::new(latest);
    scene.sync("main", "CONN000009", 9).await;
    assert_eq!(stream.event().await.unwrap().id, last + 1);
    api.stopped().await;
}
