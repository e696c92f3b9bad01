//! The feed: events get their numbers, the user's API serves them and the table of connections, and where there is a broker
//! they are relayed to its exchange.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use feed::api::{self, ApiWiring};
use feed::{EventSink, Metrics, NotRelayed, Numberer, Relay, Relayed};
use listener::{BearerToken, Bound};
use queue::PublishError;
use queue::rabbitmq::{EventPublisher, Routed};
use store::FeedEntry;
use tokio_util::sync::CancellationToken;

use super::health;
use super::part::Part;
use super::process::Base;
use crate::admin::Readiness;
use crate::wiring::{Queue, Store};

/// Starts all of it.
pub(super) fn start(
    base: &Base,
    bound: Bound,
    queue: &Queue,
    store: &Store,
    readiness: &mut Readiness,
    stop: &CancellationToken,
) -> anyhow::Result<Vec<Part>> {
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
    let mut parts = Vec::new();
    if let Some(exchange) = queue.events() {
        health::of_relay(readiness, exchange.state());
        let (sink, metrics) = (Arc::new(Exchange(exchange)), wiring.metrics.clone());
        let (port, inspect) = (store.feed(), store.inspect());
        let relay = Relay::new(port, inspect, sink, settings.feed.clone(), metrics, numberer.latest());
        parts.push(Part::spawn("event relay", relay.run(stop.clone())));
    }
    parts.push(Part::spawn("feed", numberer.run(stop.clone())));
    parts.push(Part::spawn("user's API", api::serve(bound, wiring, stop.clone())));
    Ok(parts)
}

/// The broker's exchange for events.
struct Exchange(EventPublisher);

#[async_trait]
impl EventSink for Exchange {
    async fn relay(&self, entry: &FeedEntry) -> Result<Relayed, NotRelayed> {
        // The sequence number tells a new delivery of the same event from a new event no better than the event's id does,
        // but it orders: connection and number make the message's id.
        let id = format!("{}-{}", entry.token, entry.number);
        let event = Bytes::from(entry.event.clone());
        match self.0.publish(&entry.app, &entry.kind, &id, event).await {
            Ok(Routed::ToAQueue) => Ok(Relayed::Routed),
            Ok(Routed::Nowhere) => Ok(Relayed::Unrouted),
            Err(PublishError::Refused(why)) => Ok(Relayed::Refused(why)),
            Err(error) => Err(NotRelayed(error.to_string())),
        }
    }
}
