//! The feed as the user's program reads it: all of it, page by page.
//!
//! These panic, as a test's own sentences do.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::binary::Finlinkd;
use crate::looking::array;

/// Events of a page: few, so that there are several pages.
const PAGE: usize = 50;

/// Demands that no event came twice and that no connection's versions went back, and returns the events.
pub async fn events_once(feed: &Finlinkd) -> Vec<Value> {
    let (mut events, mut after) = (Vec::new(), 0);
    loop {
        let page = feed.api(&format!("/v1/events?after={after}&limit={PAGE}")).await.unwrap().json().unwrap();
        let part = array(page["events"].clone());
        if part.is_empty() {
            break;
        }
        events.extend(part);
        after = page["next"].as_u64().unwrap();
    }
    let ids: BTreeSet<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), events.len(), "an event came twice: {events:#?}");
    let mut versions: BTreeMap<&str, u64> = BTreeMap::new();
    for event in &events {
        let connection = &event["data"]["connection"];
        let version = connection["version"].as_u64().unwrap();
        let last = versions.insert(connection["token"].as_str().unwrap(), version);
        assert!(last.is_none_or(|last| last <= version), "a connection went back: {event:#}");
    }
    events
}

/// The newest that the events tell of each connection, by token.
pub fn newest(events: &[Value]) -> BTreeMap<&str, &Value> {
    // Versions never go back: the last is the newest.
    let connections = events.iter().map(|event| &event["data"]["connection"]);
    connections.map(|connection| (connection["token"].as_str().unwrap(), connection)).collect()
}
