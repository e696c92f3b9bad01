//! The consumer: from the queue into the store.

use consumer::{Consumer, Metrics};
use queue::Subscription;
use tokio_util::sync::CancellationToken;

use super::part::Part;
use super::run::Base;
use crate::wiring::Store;

/// Starts it.
pub(super) fn start(
    base: &Base,
    subscription: Subscription,
    store: &Store,
    stop: CancellationToken,
) -> anyhow::Result<Part> {
    let metrics = Metrics::register(&base.registry)?;
    let consumer = Consumer::new(subscription, store.intake(), base.settings.consumer.clone(), metrics);
    Ok(Part::spawn("consumer", consumer.run(stop)))
}
