//! `GET /v1/events` as a stream.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use feed::Settings;
use reqwest::StatusCode;
use serde_json::json;
use socket2::{Domain, Socket, Type};

use crate::scene::{Scene, Seen};
use crate::served::{Served, TOKEN, quick};
use crate::sse::Sse;

async fn open(api: &Served, path: &str) -> Sse {
    Sse::new(api.get(path).header("accept", "text/event-stream").send().await.unwrap())
}

async fn resume(api: &Served, path: &str, id: u64) -> Sse {
    let request = api.get(path).header("accept", "text/event-stream").header("last-event-id", id.to_string());
    Sse::new(request.send().await.unwrap())
}

#[tokio::test]
async fn a_stream_gives_what_is_there_and_then_what_comes() {
    let scene = Scene::new(&["main"]).await;
    scene.sync("main", "CONN000001", 1).await;
    scene.number().await;
    let before = scene.all().await;
    let api = Served::new(&scene, quick());
    let mut stream = open(&api, "/v1/events").await;
    assert_eq!(stream.block().await.unwrap(), "retry: 2000");

    for (frame, entry) in stream.events(before.len()).await.iter().zip(&before) {
        assert_eq!((frame.id, &frame.event), (entry.number, &entry.kind));
        assert_eq!(frame.data["sequence"], json!(entry.number.to_string()));
    }
    scene.sync("main", "CONN000002", 1).await;
    assert_eq!(stream.event().await.unwrap().data["subject"], "CONN000002");
    api.stopped().await;
}

#[tokio::test]
async fn a_stream_that_is_cut_and_resumed_gives_each_event_exactly_once() {
    let scene = Scene::new(&["main"]).await;
    let api = Served::new(&scene, quick());
    let mut ids = Vec::new();
    for round in 0..5_u64 {
        for minute in 1..=4 {
            scene.sync("main", "CONN000001", 4 * round + minute).await;
        }
        // As a browser does: the same URL again, and the header says where it was.
        let mut stream = match ids.last() {
            None => open(&api, "/v1/events?after=0").await,
            Some(last) => resume(&api, "/v1/events?after=0", *last).await,
        };
        ids.extend(stream.events(3).await.iter().map(|frame| frame.id));
    }
    scene.number().await;
    let last = scene.all().await.last().unwrap().number;
    let mut stream = resume(&api, "/v1/events?after=0", *ids.last().unwrap()).await;
    while *ids.last().unwrap() < last {
        ids.push(stream.event().await.unwrap().id);
    }
    assert_eq!(ids, (1..=last).collect::<Vec<_>>());
    api.stopped().await;
}

#[tokio::test]
async fn a_filtered_stream_tells_of_its_own_only() {
    let scene = Scene::new(&["main", "other"]).await;
    let api = Served::new(&scene, quick());
    let mut stream = open(&api, "/v1/events?app=other").await;
    scene.sync("main", "CONN000001", 1).await;
    scene.sync("other", "CONN000002", 1).await;
    assert_eq!(stream.event().await.unwrap().data["subject"], "CONN000002");
    api.stopped().await;
}

#[tokio::test]
async fn a_quiet_stream_has_a_heartbeat() {
    let scene = Scene::new(&["main"]).await;
    let api = Served::new(&scene, Settings { heartbeat_every: Duration::from_millis(10), ..quick() });
    let mut stream = open(&api, "/v1/events").await;
    let blocks = [stream.block().await, stream.block().await, stream.block().await].map(Option::unwrap);
    assert_eq!(blocks, ["retry: 2000", ": still here", ": still here"]);
    api.stopped().await;
}

#[tokio::test]
async fn a_stop_ends_streams_cleanly() {
    let scene = Scene::new(&["main"]).await;
    let api = Served::new(&scene, quick());
    let mut stream = open(&api, "/v1/events").await;
    assert_eq!(stream.block().await.unwrap(), "retry: 2000");
    api.stopped().await;
    assert_eq!(stream.block().await, None);
}

#[tokio::test]
async fn no_more_streams_are_open_than_the_setting_says_and_a_closed_one_makes_room() {
    let scene = Scene::new(&["main"]).await;
    let api = Served::new(&scene, Settings { streams_max: 1, ..quick() });
    let stream = open(&api, "/v1/events").await;

    let refused = api.get("/v1/events").header("accept", "text/event-stream").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "5");

    drop(stream);
    api.until("finlinkd_api_streams", 0).await;
    open(&api, "/v1/events").await;
    api.stopped().await;
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_dropped_and_can_resume() {
    // More than the kernel buffers on the way can hold.
    const CONNECTIONS: usize = 128;
    const ENTITY_BYTES: usize = 64 * 1024;
    let scene = Scene::new(&["main"]).await;
    let names: Vec<String> = (0..CONNECTIONS).map(|n| format!("CONN{n:06}")).collect();
    let entity = "e".repeat(ENTITY_BYTES);
    let seen: Vec<_> = names.iter().map(|name| Seen { entity: entity.clone(), ..Seen::ready(name, 1) }).collect();
    scene.observe("main", &seen).await;
    scene.number().await;
    let settings = Settings { stalled_for_max: Duration::from_millis(50), stream_page_max: 5, ..quick() };
    let api = Served::new(&scene, settings);

    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(32 * 1024).unwrap();
    socket.connect(&api.address.into()).unwrap();
    let mut socket = TcpStream::from(socket);
    let request = format!(
        "GET /v1/events HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).unwrap();
    api.until("finlinkd_api_streams_stalled_total", 1).await;
    api.until("finlinkd_api_streams", 0).await;

    // What was on the way arrives, whole and in order; then the answer ends.
    let taken = tokio::task::spawn_blocking(move || {
        let (mut taken, mut part) = (Vec::new(), vec![0; 1 << 20]);
        while !taken.ends_with(b"\r\n0\r\n\r\n") {
            let read = socket.read(&mut part).unwrap();
            assert!(read > 0, "cut instead of ended");
            taken.extend_from_slice(&part[..read]);
        }
        String::from_utf8(taken).unwrap()
    });
    let taken = taken.await.unwrap();
    let ids: Vec<u64> =
        taken.lines().filter_map(|line| line.strip_prefix("id: ")).map(|id| id.parse().unwrap()).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    let all = scene.all().await.len();
    assert!(ids.len() < all, "it took all of {all} events");
    let mut stream = resume(&api, "/v1/events", *ids.last().unwrap()).await;
    assert_eq!(stream.event().await.unwrap().id, ids.last().unwrap() + 1);
    api.stopped().await;
}
