//! The consumer: from the queue into the store; and what the broker set aside, among the dead letters.

use consumer::{Consumer, DeadLetters, Metrics};
use tokio_util::sync::CancellationToken;

use super::health;
use super::part::Part;
use super::process::Base;
use crate::admin::Readiness;
use crate::wiring::{Queue, Store};

/// Starts both.
pub(super) fn start(
    base: &Base,
    queue: &Queue,
    store: &Store,
    readiness: &mut Readiness,
    stop: &CancellationToken,
) -> anyhow::Result<Vec<Part>> {
    let metrics = Metrics::register(&base.registry)?;
    let settings = &base.settings.consumer;
    let consumer = Consumer::new(queue.subscribe(), store.intake(), settings.clone(), metrics.clone());
    let mut parts = vec![Part::spawn("consumer", consumer.run(stop.clone()))];
    if let Some((set_aside, state)) = queue.dead_letters() {
        health::of_dead_letters(readiness, state);
        let reader = DeadLetters::new(set_aside, store.intake(), settings.clone(), metrics);
        parts.push(Part::spawn("dead-letter reader", reader.run(stop.clone())));
    }
    Ok(parts)
}
