//! Waiting for a state that nothing announces, and reading what finlinkd shows of itself.
//!
//! These panic: they are a test's own sentences, and what is wrong is said in full.
#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc, reason = "a test fails by panicking")]

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::binary::Finlinkd;
use crate::http::PATIENCE;

/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Waits until `state` holds, within a minute; it says what is wrong until then.
pub async fn eventually<T>(what: &str, state: impl AsyncFnMut() -> Result<T, String>) -> T {
    eventually_within(PATIENCE, what, state).await
}

/// The same for what takes longer than a minute by its nature.
pub async fn eventually_within<T>(
    patience: Duration,
    what: &str,
    mut state: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let deadline = Instant::now() + patience;
    loop {
        match state().await {
            Ok(found) => return found,
            Err(why) if Instant::now() > deadline => panic!("{what}: not within {patience:?}: {why}"),
            Err(_) => sleep(LOOK_AGAIN).await,
        }
    }
}

/// The elements of an array.
pub fn array(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        other => panic!("no array: {other}"),
    }
}

/// A listed connection without what only finlinkd knows of it.
pub fn bare(listed: &Value) -> Value {
    let mut fields = listed.as_object().unwrap().clone();
    for own in ["version", "as_of", "deleted_at"] {
        assert!(fields.remove(own).is_some(), "{own} is missing in {listed}");
    }
    Value::Object(fields)
}

/// A sample of `/metrics`, where there is one: its name with its labels in alphabetical order.
pub async fn gauge(running: &Finlinkd, series: &str) -> Option<f64> {
    let page = running.admin("/metrics").await.unwrap().text();
    let value = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.map(|value| value.parse().unwrap())
}

/// A sample of `/metrics` that is a whole number, or 0 where there is none: its name with its labels in alphabetical order.
pub async fn counter(running: &Finlinkd, series: &str) -> u64 {
    let page = running.admin("/metrics").await.unwrap().text();
    let value = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().unwrap())
}

/// Waits until nothing is in the spool of an ingress.
pub async fn drained(ingress: &Finlinkd) {
    let empty = eventually("the spool is empty", async || match counter(ingress, "finlinkd_spool_messages").await {
        0 => Ok(()),
        left => Err(format!("{left} messages are in it\n{}", ingress.last_lines())),
    });
    empty.await;
}

/// Waits until `/readyz` says this of a process, or of a part of it.
pub async fn is_said_to_be(process: &Finlinkd, part: Option<&str>, status: &str) -> Value {
    let said = eventually(status, async || {
        let health = process.admin("/readyz").await.unwrap().json().unwrap();
        let found = part.map_or(&health["status"], |part| &health["parts"][part]["status"]);
        if found == status { Ok(health) } else { Err(format!("{health:#}")) }
    });
    said.await
}
