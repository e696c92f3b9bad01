//! Events on the broker's exchange, as somebody else's program gets them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, Consumer};
use serde_json::Value;
use tests::binary::Finlinkd;
use tests::cluster::{Cluster, Queue, TOKENS};
use tests::customer::APP;
use tests::feed::events_once;
use tests::finlink::ConnectionStatus;
use tests::http::PATIENCE;
use tests::looking::{counter, eventually, gauge, is_said_to_be};
use tests::processes::Processes;
use tests::servers::{RabbitMq, RabbitMqOptions, VirtualHost};

use crate::database;

/// After what had to come, so long is listened for more: longer than the pauses of a relay.
const A_WHILE: Duration = Duration::from_secs(2);
const EXCHANGE: &str = "finlinkd.events";
/// The users' own queues have such names.
const QUEUE: &str = "finlinkd.events.of-a-stranger";

/// A queue of one's own, bound to everything, and a consumer on it that needs no acknowledgement.
async fn subscribe(connection: &Connection) -> Consumer {
    let channel = connection.create_channel().await.unwrap();
    let own = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
    channel.queue_declare(QUEUE.into(), own, FieldTable::default()).await.unwrap();
    let bind = QueueBindOptions::default();
    let everything = format!("{APP}.#");
    channel
        .queue_bind(QUEUE.into(), EXCHANGE.into(), everything.as_str().into(), bind, FieldTable::default())
        .await
        .unwrap();
    let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
    channel.basic_consume(QUEUE.into(), "".into(), options, FieldTable::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_consumer_gets_every_event_under_its_routing_key() {
    let cluster = Cluster::shared().await;
    cluster.put_all(&TOKENS.map(ConnectionStatus::pending));
    let roles = cluster.start_all(&["reconciler-1", "feed-1", "feed-2"]).await;
    let feed = roles.get("feed-1");
    let unrouted = eventually("nobody asked for the first events: they are counted", async || {
        let mut counted = 0;
        for name in ["feed-1", "feed-2"] {
            counted += counter(roles.get(name), "finlinkd_events_unrouted_total").await;
        }
        let events = events_once(feed).await;
        if events.len() >= TOKENS.len() && counted >= events.len() as u64 {
            Ok(events)
        } else {
            Err(format!("{counted} of {}", events.len()))
        }
    });
    let unheard: BTreeSet<String> = ids(&unrouted.await);

    let connection =
        Connection::connect(&cluster.queue.address_of("application"), ConnectionProperties::default()).await.unwrap();
    let mut consumer = subscribe(&connection).await;
    cluster.put_all(&TOKENS.map(ConnectionStatus::ready));
    cluster.converges().await;
    let all = eventually("the feed tells of all imports", async || {
        let events = events_once(feed).await;
        let imported = events.iter().filter(|event| event["type"] == "finlinkd.connection.imported.v1").count();
        if imported == TOKENS.len() { Ok(events) } else { Err(format!("{events:#?}")) }
    });
    let all = all.await;

    let wanted: BTreeSet<String> = ids(&all).difference(&unheard).cloned().collect();
    let mut got: BTreeMap<String, Value> = BTreeMap::new();
    while !wanted.iter().all(|id| got.contains_key(id)) {
        let next = tokio::time::timeout(PATIENCE, consumer.next()).await.expect("another event comes");
        let delivery = next.expect("the consumer lives").unwrap();
        let event: Value = serde_json::from_slice(&delivery.data).unwrap();
        let key = format!("{APP}.{}", event["type"].as_str().unwrap());
        assert_eq!(delivery.routing_key.as_str(), key);
        let content_type = delivery.properties.content_type().as_ref().map(ToString::to_string);
        assert_eq!(content_type.as_deref(), Some("application/cloudevents+json"));
        got.insert(event["id"].as_str().unwrap().to_owned(), event);
    }
    for mut event in all.into_iter().filter(|event| wanted.contains(event["id"].as_str().unwrap())) {
        // The number in the feed is the feed's alone.
        event.as_object_mut().unwrap().remove("sequence");
        assert_eq!(got[event["id"].as_str().unwrap()], event, "both ways tell the same");
    }
    roles.stop().await;
}

/// Takes what comes to a queue until every one of these events came; how often each did.
async fn until_all_came(consumer: &mut Consumer, wanted: &BTreeSet<String>, came: &mut BTreeMap<String, usize>) {
    while !wanted.iter().all(|id| came.contains_key(id)) {
        let next = tokio::time::timeout(PATIENCE, consumer.next()).await.expect("another event comes");
        let delivery = next.expect("the consumer lives").unwrap();
        let event: Value = serde_json::from_slice(&delivery.data).unwrap();
        *came.entry(event["id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
}

/// The name of the feed that relays.
async fn relaying<'a>(roles: &Processes, feeds: &[&'a str]) -> &'a str {
    let found = eventually("exactly one feed relays", async || {
        let mut active = Vec::new();
        for name in feeds {
            if gauge(roles.get(name), "finlinkd_relay_active").await == Some(1.0) {
                active.push(*name);
            }
        }
        if let [one] = active[..] { Ok(one) } else { Err(format!("{active:?}")) }
    });
    found.await
}

/// The ids of what a feed tells, once it tells of an event whose type ends so for every connection.
async fn told(feed: &Finlinkd, kind: &str) -> BTreeSet<String> {
    let told = eventually("the feed tells of every connection", async || {
        let events = events_once(feed).await;
        let of_kind = events.iter().filter(|event| event["type"].as_str().unwrap().ends_with(kind)).count();
        if of_kind >= TOKENS.len() { Ok(ids(&events)) } else { Err(format!("{of_kind} of {}", TOKENS.len())) }
    });
    told.await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_feeds_one_relays_each_event_once_and_another_goes_on_when_it_is_killed() {
    const FEEDS: [&str; 3] = ["feed-1", "feed-2", "feed-3"];
    let cluster = Cluster::shared().await;
    let mut roles = cluster.start_all(&FEEDS).await;
    let active = relaying(&roles, &FEEDS).await;
    let connection =
        Connection::connect(&cluster.queue.address_of("application"), ConnectionProperties::default()).await.unwrap();
    let mut consumer = subscribe(&connection).await;

    let reconciler = cluster.start_all(&["reconciler-1"]).await;
    cluster.put_all(&TOKENS.map(ConnectionStatus::pending));
    let first = told(roles.get(active), ".v1").await;
    let mut came = BTreeMap::new();
    until_all_came(&mut consumer, &first, &mut came).await;
    assert_eq!(relaying(&roles, &FEEDS).await, active, "nobody had a reason to take over");
    // A second one of the last would come about now.
    while let Ok(Some(more)) = tokio::time::timeout(A_WHILE, consumer.next()).await {
        let event: Value = serde_json::from_slice(&more.unwrap().data).unwrap();
        *came.entry(event["id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert!(came.values().all(|times| *times == 1), "{came:?}");

    roles.take(active).kill().await.unwrap();
    let others: Vec<_> = FEEDS.into_iter().filter(|name| *name != active).collect();
    cluster.put_all(&TOKENS.map(ConnectionStatus::ready));
    let next = relaying(&roles, &others).await;
    let all = told(roles.get(next), "connection.imported.v1").await;
    until_all_came(&mut consumer, &all, &mut came).await;
    reconciler.stop().await;
    roles.stop().await;
}

/// Waits until a feed shows whether it has its broker, and whether an event waits for that.
async fn shows(feed: &Finlinkd, connected: bool, waits: bool) {
    let shown = eventually("the feed shows how its relay is", async || {
        let is_connected = gauge(feed, "finlinkd_broker_connected").await;
        let age = gauge(feed, "finlinkd_relay_oldest_age_seconds").await;
        let matches = is_connected == Some(f64::from(u8::from(connected))) && age.map(|age| age > 0.0) == Some(waits);
        if matches { Ok(()) } else { Err(format!("connected {is_connected:?}, age {age:?}")) }
    });
    shown.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_stops_under_a_relay_is_told_of_and_gets_afterwards_what_waited() {
    let mut broker = tokio::task::block_in_place(|| RabbitMq::launch(&RabbitMqOptions::default()).unwrap());
    let store = database::shared().url(&database::new_database());
    let queue = tokio::task::block_in_place(|| Queue::Deployed(VirtualHost::committed(&broker).unwrap()));
    let cluster = Cluster::on(queue, store).await;
    cluster.put_all(&TOKENS.map(ConnectionStatus::pending));
    let roles = cluster.start_all(&["reconciler-1", "feed-1"]).await;
    let feed = roles.get("feed-1");
    cluster.converges().await;
    is_said_to_be(feed, Some("relay"), "ready").await;
    shows(feed, true, false).await;

    tokio::task::block_in_place(|| broker.stop().unwrap());
    is_said_to_be(feed, Some("relay"), "degraded").await;
    is_said_to_be(feed, None, "degraded").await;
    cluster.put_all(&TOKENS.map(ConnectionStatus::ready));
    cluster.converges().await;
    shows(feed, false, true).await;
    let before = counter(feed, "finlinkd_events_unrouted_total").await;

    tokio::task::block_in_place(|| broker.start().unwrap());
    is_said_to_be(feed, None, "ready").await;
    shows(feed, true, false).await;
    let caught_up = counter(feed, "finlinkd_events_unrouted_total").await;
    assert!(caught_up >= before + TOKENS.len() as u64, "{before} to {caught_up}: the imports were published");
    roles.stop().await;
}

fn ids(events: &[Value]) -> BTreeSet<String> {
    events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}
