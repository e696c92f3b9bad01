//! The feed: events get their numbers, and the user's API serves them and the table of connections.

use feed::api::{self, ApiWiring};
use feed::{Metrics, Numberer};
use listener::{BearerToken, Bound};
use tokio_util::sync::CancellationToken;

use super::part::Part;
use super::run::Base;
use crate::wiring::Store;

/// Starts both.
pub(super) fn start(base: &Base, bound: Bound, store: &Store, stop: &CancellationToken) -> anyhow::Result<[Part; 2]> {
    let metrics = Metrics::register(&base.registry)?;
    let settings = &base.settings;
    let numberer = Numberer::new(store.feed(), settings.feed.clone(), metrics.clone());
    let wiring = ApiWiring {
        feed: store.feed(),
        inspect: store.inspect(),
        refresh: store.refresh(),
        latest: numberer.latest(),
        token: BearerToken::new(settings.api.resolve().map_err(anyhow::Error::msg)?),
        settings: settings.feed.clone(),
        metrics,
        limits: settings.http.clone(),
    };
    Ok([
        Part::spawn("feed", numberer.run(stop.clone())),
        Part::spawn("user's API", api::serve(bound, wiring, stop.clone())),
    ])
}
