//! The RabbitMQ engine on a real broker.

mod attempts;
mod confirms;
mod conformance;
mod definitions;
mod encrypted;
mod exchange;
mod network;
mod outages;
mod redrive;
mod refusals;
mod sizes;
mod threads;
mod unreadable;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use events::{BodyHash, RawWebhook, Receipt, UtcMicros, Verification};
use queue::rabbitmq::{Addresses, RabbitMq as Engine, Settings};
use queue::{Batch, BatchLimits, Content, Message, Publisher, QueueState, Subscription};
use secrecy::SecretString;
use tests::proxy::FaultProxy;
pub(crate) use tests::servers::shared::{broker as shared, deployed, new_virtual_host};
use uuid::Uuid;

/// How long a test waits for something that must come.
const PATIENCE: Duration = Duration::from_mins(1);

/// The name of the virtual host of an address.
fn virtual_host_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap().split('?').next().unwrap()
}

/// Lets an address of the shared broker have no more than so many connections; those that are there stay. -1 is no limit.
fn limit_connections(url: &str, count: i32) {
    let limits = format!("{{\"max-connections\": {count}}}");
    shared().control(&["set_vhost_limits", "--vhost", virtual_host_of(url), &limits]).unwrap();
}

/// Impatient settings. Only a test that kills its broker has a reason to let a new queue settle.
fn settings() -> Settings {
    let reconnect_after_max = Duration::from_secs(1);
    Settings { reconnect_after_max, new_queue_settles_for: Duration::ZERO, ..Settings::default() }
}

fn engine_with(url: &str, settings: Settings) -> Engine {
    Engine::new(Addresses::Given(vec![SecretString::from(url.to_owned())]), settings, "test")
}

fn engine(url: &str) -> Engine {
    engine_with(url, settings())
}

fn webhook(app: &str, sequence: u64) -> RawWebhook {
    let body = Bytes::from(format!("{{\"token\":\"ABCDEFGH{:02}\",\"n\":{sequence}}}", sequence % 100));
    RawWebhook {
        receipt: Receipt::draw(),
        app: app.parse().unwrap(),
        instance: Uuid::nil(),
        sequence,
        decided_through: sequence.saturating_sub(1),
        received_at: UtcMicros::now(),
        verification: Verification::Unchecked,
        content_type: Some("application/json".to_owned()),
        traceparent: None,
        body_sha256: BodyHash::of(&body),
        body,
    }
}

async fn until_ready(publisher: &Publisher) {
    let mut state = publisher.state();
    let ready = state.wait_for(|state| *state == QueueState::Ready);
    tokio::time::timeout(PATIENCE, ready).await.expect("the engine gets ready").unwrap();
}

/// An address of the shared broker by way of a proxy.
async fn proxied(url: &str) -> (String, Arc<FaultProxy>) {
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, shared().port()));
    let proxy = FaultProxy::start(server).await.unwrap();
    (url.replace(&server.to_string(), &proxy.address().to_string()), Arc::new(proxy))
}

/// Waits until a webhook with this receipt, published from now on, is on its way to the broker behind `proxy`.
fn passes(proxy: &FaultProxy, receipt: Receipt) -> impl Future<Output = ()> + Send + use<> {
    proxy.passes(receipt.to_string().as_bytes())
}

const LIMITS: BatchLimits = BatchLimits { count_max: 100, bytes_max: 1 << 20, linger: Duration::from_millis(50) };

async fn next(subscription: &mut Subscription) -> Batch {
    tokio::time::timeout(PATIENCE, subscription.next_batch(&LIMITS)).await.expect("a batch comes").unwrap()
}

/// The receipts of the webhooks of a batch.
fn receipts(batch: &Batch) -> Vec<Receipt> {
    let receipt = |delivery: &queue::Delivery| match &delivery.content {
        Content::Message(Message::Webhook(webhook)) => Some(webhook.receipt),
        _ => None,
    };
    batch.deliveries().iter().filter_map(receipt).collect()
}
