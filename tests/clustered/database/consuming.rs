//! A running consumer, and a server that is cut off, frozen or killed under it: everything is stored, each thing once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use consumer::{Consumer, Metrics};
use events::{BodyHash, RawWebhook, Receipt, UtcMicros, Verification};
use prometheus::Registry;
use queue::Message;
use queue::embedded::EmbeddedQueue;
use store::Inspect;
use store::postgres::Settings;
use tempfile::TempDir;
use tests::looking::eventually;
use tests::servers::Postgres;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::place::{HOLD_HINTS, Place, impatient};

const APP: &str = "main";
/// Messages of a batch: small, so that much is under way when something breaks.
const BATCH: usize = 20;
const CONNECTIONS: u64 = 7;

/// A queue, and a consumer between it and a database.
struct Run {
    queue: EmbeddedQueue,
    published: u64,
    registry: Registry,
    running: JoinHandle<Result<(), consumer::Error>>,
    stop: CancellationToken,
    _folder: TempDir,
}

fn webhook(sequence: u64) -> RawWebhook {
    let body =
        Bytes::from(format!("{{\"connectionToken\":\"ABCDEFGH{:02}\",\"n\":{sequence}}}", sequence % CONNECTIONS));
    RawWebhook {
        receipt: Receipt::draw(),
        app: APP.parse().unwrap(),
        instance: Uuid::from_u128(1),
        sequence,
        decided_through: sequence - 1,
        received_at: UtcMicros::now(),
        verification: Verification::Verified { kid: Uuid::nil(), binds_body: true },
        content_type: None,
        traceparent: None,
        body_sha256: BodyHash::of(&body),
        body,
    }
}

impl Run {
    fn start(place: &Place) -> Self {
        Self::with(place, &impatient())
    }

    fn with(place: &Place, limits: &Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = queue::Settings { folder: folder.path().to_owned(), ..queue::Settings::default() };
        let queue = EmbeddedQueue::open(&settings).unwrap();
        let settings = consumer::Settings {
            batch_messages_max: BATCH,
            retry_min: Duration::from_millis(10),
            retry_max: Duration::from_millis(100),
            ..consumer::Settings::default()
        };
        let limits = Settings { connect_timeout: Duration::from_secs(1), ..limits.clone() };
        let (store, registry) = (place.store_with(&limits), Registry::new());
        let metrics = Metrics::register(&registry).unwrap();
        let consumer = Consumer::new(queue.subscribe(), Arc::new(store), settings, metrics);
        let stop = CancellationToken::new();
        let running = tokio::spawn(consumer.run(stop.clone()));
        Self { queue, published: 0, registry, running, stop, _folder: folder }
    }

    async fn publish(&mut self, webhooks: u64) {
        let publisher = self.queue.publisher();
        let sequences = self.published + 1..=self.published + webhooks;
        let published = sequences.map(|sequence| publisher.publish(Message::Webhook(webhook(sequence))));
        for published in futures_util::future::join_all(published).await {
            published.unwrap();
        }
        self.published += webhooks;
    }

    /// Waits until a batch is held because the store is away.
    async fn holds(&self) {
        let held = eventually("a batch is held", async || {
            let families = self.registry.gather();
            let held = families.iter().find(|family| family.name() == "finlinkd_consumer_batches_held").unwrap();
            if held.get_metric()[0].get_gauge().get_value() > 0.0 { Ok(()) } else { Err("none is".to_owned()) }
        });
        held.await;
    }

    /// Waits until the queue is empty, and stops.
    async fn finish(self, place: &Place) {
        let emptied = eventually("the queue is empty", async || match self.queue.depth().messages {
            0 => Ok(()),
            left => Err(format!("{left} messages are in it")),
        });
        emptied.await;
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
        self.queue.close().await;
        let published = self.published as i64;
        assert_eq!((place.deliveries().await, place.hints().await), (published, published));
        assert_eq!(place.number("SELECT count(*) FROM bodies").await, published);
        assert_eq!(place.number("SELECT count(*) FROM dead_letters").await, 0);
        let totals = place.store().totals(UtcMicros::now()).await.unwrap();
        assert_eq!((totals.deliveries.values().sum::<u64>(), totals.duplicates), (self.published, 0));
        place.is_idle().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_again_and_again_cost_time_and_nothing_else() {
    const CUTS: i64 = 20;
    let place = Place::new().await;
    let mut run = Run::start(&place);
    let mut cut = 0;
    while cut < CUTS {
        run.publish(4 * BATCH as u64).await;
        let caught = eventually("a transaction is under way", async || {
            match place.terminate("state <> 'idle' AND backend_xid IS NOT NULL").await {
                0 if run.queue.depth().messages > 0 => Err("none is".to_owned()),
                ended => Ok(ended),
            }
        });
        cut += caught.await;
    }
    run.finish(&place).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_frozen_or_killed_is_waited_for() {
    let mut server = tokio::task::block_in_place(|| Postgres::launch().unwrap());
    let database = "consumed".to_owned();
    server.create_database(&database).unwrap();
    let place = Place::on(&server, database.clone()).await;
    let mut run = Run::start(&place);
    run.publish(200).await;
    tokio::task::block_in_place(|| server.freeze().unwrap());
    run.publish(200).await;
    // A transaction takes longer than it may: its connection is left behind.
    run.holds().await;
    tokio::task::block_in_place(|| server.thaw().unwrap());
    run.publish(200).await;
    tokio::task::block_in_place(|| server.kill().unwrap());
    run.publish(200).await;
    run.holds().await;
    tokio::task::block_in_place(|| server.start().unwrap());
    let place = Place::on(&server, database).await;
    run.finish(&place).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_a_dump_keeps_waiting_holds_messages_and_nobody_of_the_older_version() {
    let place = Place::of_version_5().await;
    place.run("SET lock_timeout = '30s'").await;
    let dump = place.hold("LOCK TABLE apps, deliveries IN ACCESS SHARE MODE").await;
    let mut run = Run::start(&place);
    run.publish(BATCH as u64).await;
    // A step waits for a table, and whoever writes it waits behind the step, while the dump goes on.
    place.blocked(1).await;
    place.run("INSERT INTO apps (app) VALUES ('other')").await;
    run.holds().await;
    assert_eq!(place.number("SELECT max(version)::bigint FROM schema_migrations").await, 5);
    dump.release().await;
    run.finish(&place).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_a_person_keeps_locked_makes_no_message_a_dead_letter() {
    /// More than a single message may fail, once a part is divided down to it.
    const WAITS: i64 = 80;
    let place = Place::new().await;
    let mut run = Run::with(&place, &Settings { lock_timeout: Duration::from_millis(20), ..impatient() });
    run.publish(BATCH as u64).await;
    let stored = eventually("the rows are there", async || match run.queue.depth().messages {
        0 => Ok(()),
        left => Err(format!("{left} messages are in the queue")),
    });
    stored.await;
    // Nothing but a statement that writes a row of it finds this lock.
    let held = place.hold(HOLD_HINTS).await;
    run.publish(BATCH as u64).await;
    let rolled_back = "SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()";
    let before = place.number(rolled_back).await;
    let failed = eventually("it has failed often", async || match place.number(rolled_back).await - before {
        often if often >= WAITS => Ok(()),
        found => Err(format!("{found} times")),
    });
    failed.await;
    assert_eq!(place.number("SELECT count(*) FROM dead_letters").await, 0);
    held.release().await;
    run.finish(&place).await;
}
