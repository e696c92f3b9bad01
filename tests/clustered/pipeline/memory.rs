//! What waits at the broker, all of it as large and as hard to read as it can be, does not take a consumer more memory than its
//! container has.

use bytes::Bytes;
use events::{BodyHash, RawWebhook, Receipt, UtcMicros, Verification};
use futures_util::stream::{FuturesUnordered, StreamExt};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use queue::rabbitmq::{Addresses, RabbitMq, Settings};
use queue::{Message, Publisher, QueueState};
use secrecy::SecretString;
use serde_json::json;
use tests::binary::Finlinkd;
use tests::cluster::{Cluster, Queue, TOKENS};
use tests::customer::APP;
use tests::looking::{eventually, is_said_to_be};
use tests::servers::Postgres;
use tests::usage;
use tests::workspace;
use uuid::Uuid;

use crate::broker::{self, shared};

/// Messages that stay at the broker when a consumer has all that is sent ahead.
const MORE: usize = 40;
/// Different bodies. The first is as hard to read as can be, the others are not, so that reading all of them does not take
/// minutes.
const BODIES: usize = 16;
/// Arrays in one another, as deep as a parser goes; in memory each is some seventy times as large as here.
const DEEP: usize = 120;

/// A body that takes the most memory to read.
fn hard(bytes: usize) -> Bytes {
    let deep = format!(",{}{}", "[".repeat(DEEP), "]".repeat(DEEP));
    let mut body = format!("[0{}", deep.repeat((bytes - 3) / deep.len()));
    body.push_str(&" ".repeat(bytes - 1 - body.len()));
    body.push(']');
    body.into()
}

fn easy(number: usize, bytes: usize) -> Bytes {
    let number = number.to_string();
    format!("{number}{}", " ".repeat(bytes - number.len())).into()
}

fn webhook(sequence: u64, body: Bytes) -> RawWebhook {
    RawWebhook {
        receipt: Receipt::draw(),
        app: APP.parse().unwrap(),
        instance: Uuid::nil(),
        sequence,
        decided_through: 0,
        received_at: UtcMicros::now(),
        verification: Verification::Unchecked,
        content_type: None,
        traceparent: None,
        body_sha256: BodyHash::of(&body),
        body,
    }
}

/// Publishes as an ingress does.
async fn publish(cluster: &Cluster, settings: Settings, count: usize, bodies: &[Bytes]) {
    let addresses = Addresses::Given(vec![SecretString::from(cluster.queue.address_of("ingress"))]);
    let (publisher, _ended) = RabbitMq::new(addresses, settings, "test").publisher();
    publisher.state().wait_for(|state| *state == QueueState::Ready).await.unwrap();
    let one = async |publisher: Publisher, sequence: usize| {
        let webhook = webhook(sequence as u64 + 1, bodies[sequence % bodies.len()].clone());
        publisher.publish(Message::Webhook(webhook)).await.unwrap();
    };
    let all = (0..count).map(|sequence| one(publisher.clone(), sequence)).collect::<FuturesUnordered<_>>();
    all.collect::<()>().await;
}

/// Publishes to the exchange of dead letters, which none of our users may.
async fn set_aside(host: &str, count: usize, body: &[u8]) {
    shared().control(&["set_permissions", "--vhost", host, "guest", ".*", ".*", ".*"]).unwrap();
    let address = shared().url().replace("%2f", host);
    let connection = Connection::connect(&address, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    for _ in 0..count {
        let (exchange, options) = ("finlinkd.dead-letters".into(), BasicPublishOptions::default());
        let published = channel.basic_publish(exchange, APP.into(), options, body, BasicProperties::default()).await;
        published.unwrap().await.unwrap();
    }
}

/// `mem_limit` of the consumer in `docker-compose.yml`.
fn allowed_bytes() -> u64 {
    let file = std::fs::read_to_string(workspace::root().join("docker-compose.yml")).unwrap();
    let (_, service) = file.split_once("\n  consumer:\n").unwrap();
    let limit = service.lines().find_map(|line| line.trim().strip_prefix("mem_limit: ")).unwrap();
    limit.strip_suffix('m').unwrap().parse::<u64>().unwrap() << 20
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_of_the_largest_bodies_fits_into_a_consumer_whose_store_is_away() {
    let mut database = tokio::task::block_in_place(|| Postgres::launch().unwrap());
    let host = tokio::task::block_in_place(broker::deployed);
    let cluster = Cluster::on(Queue::Deployed(host.clone()), database.url("finlinkd")).await;
    let settings = Settings::default();
    let ahead = usize::from(settings.prefetch).min(settings.prefetch_bytes_max / settings.message_bytes_max);
    let bytes = settings.message_bytes_max;
    let bodies: Vec<Bytes> =
        std::iter::once(hard(bytes)).chain((1..BODIES).map(|number| easy(number, bytes))).collect();
    publish(&cluster, settings.clone(), ahead + MORE, &bodies).await;
    set_aside(host.name(), MORE, &bodies[0]).await;
    tokio::task::block_in_place(|| database.kill().unwrap());

    let consumer = cluster.start("consumer-1").await;
    let most = ahead * settings.message_bytes_max;
    let filled = eventually("all that is sent ahead is in the consumer's memory", async || {
        let resident = usage::resident_bytes(consumer.id()).unwrap();
        if resident >= most as u64 { Ok(()) } else { Err(format!("{resident} of {most}\n{}", consumer.last_lines())) }
    });
    filled.await;
    // A quorum queue counts for `list_queues` every few seconds only.
    let list = ["list_queues", "--vhost", host.name(), "--silent", "name", "messages_unacknowledged"];
    let counted = eventually("the broker says how much it has sent ahead", async || {
        let listed = tokio::task::block_in_place(|| shared().control(&list).unwrap());
        let webhooks = listed.lines().find_map(|line| line.strip_prefix("finlinkd.webhooks\t")).unwrap().to_owned();
        if webhooks == ahead.to_string() { Ok(()) } else { Err(format!("{webhooks} of {ahead}")) }
    });
    counted.await;

    tokio::task::block_in_place(|| database.start().unwrap());
    is_said_to_be(&consumer, Some("store"), "ready").await;
    // The first batches are read with all the others still in memory; those after them take less.
    let recorded = eventually("a quarter of it is recorded", async || {
        let query = |table: &str| database.query("finlinkd", &format!("SELECT count(*) FROM {table}")).unwrap();
        let count = |table: &str| query(table).parse::<usize>().unwrap();
        let counts = tokio::task::block_in_place(|| (count("deliveries"), count("dead_letters")));
        if counts.0 >= ahead / 4 && counts.1 == MORE { Ok(()) } else { Err(format!("{counts:?}")) }
    });
    recorded.await;
    has_taken_less_than_allowed(&consumer);
    consumer.stop().await.unwrap();
}

fn has_taken_less_than_allowed(consumer: &Finlinkd) {
    let (peak, allowed) = (usage::highest_resident_bytes(consumer.id()).unwrap(), allowed_bytes());
    assert!(peak < allowed, "it has taken {peak} bytes, its container allows {allowed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_are_too_large_for_the_consumer_are_kept_whole_and_recorded_once_it_takes_them() {
    const BYTES: usize = 10 << 20;
    // The last one can be read without much memory.
    let bodies = [hard(BYTES), hard(BYTES), hard(BYTES), easy(7, BYTES - 1)];
    let cluster = Cluster::shared().await;
    let roles = cluster.start_all(&["reconciler-1", "ingress-1"]).await;
    // The password of an ingress is enough to do this, and an ingress does where only its own limit was raised.
    let settings = Settings { message_bytes_max: BYTES, ..Settings::default() };
    publish(&cluster, settings, bodies.len(), &bodies).await;
    let behind = cluster.sender(roles.get("ingress-1")).await.send(TOKENS[0]).await.unwrap();

    let consumer = cluster.start("consumer-1").await;
    cluster.person().finds(std::slice::from_ref(&behind)).await;
    let letters = cluster.person().dead_letters(bodies.len()).await;
    for letter in &letters {
        assert_eq!(letter["reason"], "too_large", "{letter}");
        assert!(letter["detail"].as_str().unwrap().contains("more than rabbitmq.message_bytes_max"), "{letter}");
    }
    let mut sizes: Vec<_> = letters.iter().map(|letter| letter["body_bytes"].as_u64().unwrap()).collect();
    sizes.sort_unstable();
    let mut sent: Vec<_> = bodies.iter().map(|body| body.len() as u64).collect();
    sent.sort_unstable();
    assert_eq!(sizes, sent);
    has_taken_less_than_allowed(&consumer);
    consumer.stop().await.unwrap();
    cluster.person().books_are_right(0).await;

    // As an operator who has raised the limit everywhere.
    let limit = ("RABBITMQ__MESSAGE_BYTES_MAX", BYTES.to_string());
    let raised = cluster.setup("consumer-1").with(limit.0, &limit.1).run_role("consumer").await.unwrap();
    let person = cluster.setup("person").with(limit.0, &limit.1);
    let readable = letters.iter().find(|letter| letter["body_bytes"] == json!(BYTES - 1)).unwrap();
    let id = readable["id"].to_string();
    let told = person.json(&["dead-letters", "redrive", &id, "--yes", "--json"]).await.unwrap();
    assert_eq!((&told["done"], &told["letters"]), (&json!(true), &json!(1)), "{told}");
    cluster.person().finds(&[readable["receipt"].as_str().unwrap().to_owned(), behind]).await;
    cluster.person().dead_letters(bodies.len() - 1).await;
    raised.stop().await.unwrap();
    roles.stop().await;
    cluster.person().books_are_right(1).await;
}
