//! The consumer between the real embedded queue and the real SQLite store.

use std::sync::Arc;

use consumer::{Consumer, Metrics, Settings, Step, Tally};
use events::{BodyTells, RawWebhook, TokenFields, UtcMicros, Verification};
use prometheus::Registry;
use queue::embedded::EmbeddedQueue;
use queue::{BatchLimits, Content, Message};
use store::sqlite::SqliteStore;
use store::{Inspect, Intake, MigrateMode, Reading, Rules, Totals};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::fakes::{deliveries, webhook};

struct Pipeline {
    queue: EmbeddedQueue,
    store: SqliteStore,
    _folder: TempDir,
}

impl Pipeline {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let settings = queue::Settings { folder: folder.path().join("queue"), ..queue::Settings::default() };
        std::fs::create_dir_all(&settings.folder).unwrap();
        let queue = EmbeddedQueue::open(&settings).unwrap();
        let folder_of_store = folder.path().join("store");
        std::fs::create_dir_all(&folder_of_store).unwrap();
        let settings = store::Settings { folder: folder_of_store, migrate: MigrateMode::Auto, rules: Rules::default() };
        let store = SqliteStore::open(&settings).unwrap();
        Self { queue, store, _folder: folder }
    }

    async fn publish(&self, webhooks: &[RawWebhook]) {
        let publisher = self.queue.publisher();
        for webhook in webhooks {
            publisher.publish(Message::Webhook(webhook.clone())).await.unwrap();
        }
    }

    fn consumer(&self, settings: Settings) -> Consumer {
        let metrics = Metrics::register(&Registry::new()).unwrap();
        Consumer::new(self.queue.subscribe(), Arc::new(self.store.clone()), settings, metrics)
    }

    /// Steps until so many messages are settled, and adds up what became of them.
    async fn settle(&self, consumer: &mut Consumer, messages: u64) -> Tally {
        let mut sum = Tally::default();
        while sum.new + sum.duplicates + sum.redelivered + sum.checkpoints + sum.dead < messages {
            if let Step::Stored(tally) = consumer.step().await {
                sum.new += tally.new;
                sum.duplicates += tally.duplicates;
                sum.redelivered += tally.redelivered;
                sum.checkpoints += tally.checkpoints;
                sum.dead += tally.dead;
            }
        }
        sum
    }

    async fn totals(&self) -> Totals {
        self.store.totals(UtcMicros::now()).await.unwrap()
    }
}

fn delivered(totals: &Totals) -> u64 {
    totals.deliveries.values().sum()
}

#[tokio::test]
async fn duplicates_are_recorded_and_their_body_is_kept_once() {
    let pipeline = Pipeline::new();
    let body = r#"{"connectionToken":"CONN000001"}"#;
    pipeline.publish(&[webhook(body), webhook(body), webhook(body), webhook("{}")]).await;

    let tally = pipeline.settle(&mut pipeline.consumer(Settings::default()), 4).await;

    assert_eq!((tally.new, tally.duplicates), (2, 2));
    let totals = pipeline.totals().await;
    assert_eq!((delivered(&totals), totals.duplicates, totals.bodies), (4, 2, 2));
    assert_eq!(pipeline.queue.depth().messages, 0);
}

#[tokio::test]
async fn what_a_crashed_consumer_had_stored_and_not_acknowledged_changes_nothing_again() {
    let pipeline = Pipeline::new();
    let (webhooks, _) = deliveries(5);
    pipeline.publish(&webhooks).await;
    let limits = BatchLimits { count_max: 3, bytes_max: 1 << 20, linger: std::time::Duration::ZERO };
    let crashed = pipeline.queue.subscribe().next_batch(&limits).await.unwrap();
    let readings: Vec<Reading> = crashed.deliveries().iter().map(|delivery| reading(&delivery.content)).collect();
    pipeline.store.record(&readings).await.unwrap();
    drop(crashed);

    let tally = pipeline.settle(&mut pipeline.consumer(Settings::default()), 5).await;

    assert_eq!(tally.redelivered, readings.len() as u64);
    assert_eq!((delivered(&pipeline.totals().await), pipeline.queue.depth().messages), (5, 0));
}

fn reading(content: &Content) -> Reading {
    let Content::Message(Message::Webhook(webhook)) = content else { panic!("expected a webhook") };
    Reading { webhook: webhook.clone(), tells: BodyTells::read(&webhook.body, &TokenFields::default()) }
}

#[tokio::test]
async fn a_pending_webhook_keeps_its_token_and_an_unreadable_body_its_bytes() {
    let pipeline = Pipeline::new();
    let mut pending = webhook("\u{0}not json");
    pending.verification = Verification::Pending { kid: Uuid::max(), jwt: "a.b.c".to_owned() };
    pipeline.publish(std::slice::from_ref(&pending)).await;
    pipeline.settle(&mut pipeline.consumer(Settings::default()), 1).await;

    let stored = pipeline.store.delivery(pending.receipt).await.unwrap().unwrap();
    assert_eq!((stored.row.verification.as_str(), stored.kid), ("pending", Some(Uuid::max())));
    assert_eq!(stored.body, Some(pending.body));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn consumers_that_stop_and_start_under_load_lose_nothing() {
    const WEBHOOKS: usize = 600;
    let pipeline = Arc::new(Pipeline::new());
    let (webhooks, _) = deliveries(WEBHOOKS);
    let publishing = tokio::spawn({
        let (pipeline, webhooks) = (pipeline.clone(), webhooks.clone());
        async move { pipeline.publish(&webhooks).await }
    });
    let settings = Settings { batch_messages_max: 16, ..Settings::default() };
    let mut lives = 0;
    while delivered(&pipeline.totals().await) < WEBHOOKS as u64 || pipeline.queue.depth().messages > 0 {
        let stop = CancellationToken::new();
        let running = [(); 2].map(|()| tokio::spawn(pipeline.consumer(settings.clone()).run(stop.clone())));
        let before = delivered(&pipeline.totals().await);
        // Stopped somewhere in the middle: as soon as anything was stored, or nothing is left.
        while delivered(&pipeline.totals().await) == before && pipeline.queue.depth().messages > 0 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        for consumer in running {
            assert_eq!(consumer.await.unwrap(), Ok(()));
        }
        lives += 1;
    }
    publishing.await.unwrap();
    let tally = pipeline.totals().await;
    assert_eq!((delivered(&tally), tally.duplicates, tally.bodies), (WEBHOOKS as u64, 0, WEBHOOKS as u64));
    assert!(lives > 1, "the load was over before anyone had to stop");
    for webhook in webhooks {
        assert!(pipeline.store.delivery(webhook.receipt).await.unwrap().is_some());
    }
}
