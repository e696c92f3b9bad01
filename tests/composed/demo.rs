//! `docker-compose up` with nothing filled in: a simulated Finlink sends webhooks, and they become connections and events.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use tests::compose::{Container, Engine, Stack, StackOptions};
use tests::looking::{array, eventually};
use tokio::task::block_in_place;

use crate::progress::say;
use crate::scene::ask_api;

/// What a person who tries it finds running.
const SERVICES: [&str; 10] = [
    "consumer",
    "feed",
    "finlink",
    "gateway",
    "ingress",
    "postgres",
    "postgres-exporter",
    "prometheus",
    "rabbitmq",
    "reconciler",
];

/// Nothing but the ports, the names and the build is of the test.
pub(crate) async fn lives(engine: Engine) {
    let overriding = json!({ "services": { "ingress": { "build": Stack::build_overriding() } } });
    let stack = block_in_place(|| {
        let stack = Stack::new(engine, &StackOptions { variables: BTreeMap::new(), overriding }).unwrap();
        stack.build(&say).unwrap();
        say("up, as a plain demo");
        stack.up(&[]).unwrap();
        stack
    });
    let running = block_in_place(|| stack.containers()).unwrap();
    let running: BTreeSet<&str> = running.iter().map(Container::service).collect();
    assert_eq!(running, BTreeSet::from(SERVICES));
    let api = stack.address("PUBLISH_API").unwrap();
    let lives = eventually("webhooks become events", async || {
        let connections = array(ask_api(api, "/v1/connections").await?["connections"].clone());
        let events = array(ask_api(api, "/v1/events?after=0").await?["events"].clone());
        let (connections, events) = (connections.len(), events.len());
        let told = format!("{connections} connections, {events} events");
        if connections > 0 && events > 0 { Ok(()) } else { Err(told) }
    });
    lives.await;
    let containers = block_in_place(|| stack.containers()).unwrap();
    let restarts: Vec<_> = containers.iter().filter(|container| container.restarts() > 0).collect();
    assert!(restarts.is_empty(), "started again by the engine: {restarts:#?}");
    block_in_place(|| stack.down()).unwrap();
    say("taken down");
}
