//! The store is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use events::{AppName, Connection, ConnectionToken, Receipt, UtcMicros};
use feed::{Error, Metrics, Numberer, Step};
use prometheus::Registry;
use reqwest::StatusCode;
use store::{
    Aims, Books, Compared, ConnectionFilter, Cursor, DeadLetterFilter, DeadLetterRow, DeliveryDetail, DeliveryFilter,
    DeliveryRow, Explanation, Feed, FeedFilter, GapFilter, GapRow, Inspect, Numbered, Page, RebuildFilter, RelayLease,
    StoreError, Totals,
};
use uuid::Uuid;

use crate::scene::Scene;
use crate::served::{Served, quick};
use crate::sse::Sse;

/// A store that is there only at times.
struct Moody {
    store: store::sqlite::SqliteStore,
    away: AtomicBool,
}

impl Moody {
    fn away(scene: &Scene) -> Arc<Self> {
        Arc::new(Self { store: scene.store.clone(), away: AtomicBool::new(true) })
    }

    fn store(&self) -> Result<&store::sqlite::SqliteStore, StoreError> {
        if self.away.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("/var/lib/secret.db: disk I/O error".to_owned()));
        }
        Ok(&self.store)
    }
}

#[async_trait]
impl Feed for Moody {
    async fn number(&self, limit: usize) -> Result<Numbered, StoreError> {
        self.store()?.number(limit).await
    }
    async fn after(&self, cursor: Cursor, filter: &FeedFilter, limit: usize) -> Result<Page, StoreError> {
        self.store()?.after(cursor, filter, limit).await
    }
    async fn lease_relay(
        &self,
        target: &str,
        holder: Uuid,
        now: UtcMicros,
        expires_at: UtcMicros,
    ) -> Result<Option<RelayLease>, StoreError> {
        self.store()?.lease_relay(target, holder, now, expires_at).await
    }
    async fn relayed(&self, lease: &RelayLease, reached: Cursor) -> Result<bool, StoreError> {
        self.store()?.relayed(lease, reached).await
    }
    async fn release_relay(&self, lease: &RelayLease) -> Result<(), StoreError> {
        self.store()?.release_relay(lease).await
    }
}

#[async_trait]
impl Inspect for Moody {
    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryRow>, StoreError> {
        self.store()?.deliveries(filter).await
    }
    async fn delivery(&self, receipt: Receipt) -> Result<Option<DeliveryDetail>, StoreError> {
        self.store()?.delivery(receipt).await
    }
    async fn aims(&self, receipts: &[Receipt]) -> Result<Aims, StoreError> {
        self.store()?.aims(receipts).await
    }
    async fn connections(&self, filter: &ConnectionFilter) -> Result<Vec<Connection>, StoreError> {
        self.store()?.connections(filter).await
    }
    async fn connection(&self, token: &ConnectionToken) -> Result<Vec<Connection>, StoreError> {
        self.store()?.connection(token).await
    }
    async fn explain(&self, app: &AppName, token: &ConnectionToken) -> Result<Explanation, StoreError> {
        self.store()?.explain(app, token).await
    }
    async fn books(&self) -> Result<Vec<Books>, StoreError> {
        self.store()?.books().await
    }
    async fn booked(&self) -> Result<Vec<Books>, StoreError> {
        self.store()?.booked().await
    }
    async fn dead_letters(&self, filter: &DeadLetterFilter) -> Result<Vec<DeadLetterRow>, StoreError> {
        self.store()?.dead_letters(filter).await
    }
    async fn dead_letter(&self, id: i64) -> Result<Option<DeadLetterRow>, StoreError> {
        self.store()?.dead_letter(id).await
    }
    async fn gaps(&self, filter: &GapFilter) -> Result<Vec<GapRow>, StoreError> {
        self.store()?.gaps(filter).await
    }
    async fn apps(&self) -> Result<Vec<AppName>, StoreError> {
        self.store()?.apps().await
    }
    async fn compare(&self, filter: &RebuildFilter) -> Result<Compared, StoreError> {
        self.store()?.compare(filter).await
    }
    async fn totals(&self, now: UtcMicros) -> Result<Totals, StoreError> {
        self.store()?.totals(now).await
    }
}

#[tokio::test]
async fn a_request_is_told_to_come_again_and_nothing_of_the_cause() {
    let scene = Scene::new(&["main"]).await;
    let moody = Moody::away(&scene);
    let api = Served::over(&scene, moody.clone(), moody.clone(), quick());
    for path in ["/v1/connections", "/v1/connections/CONN000001", "/v1/events", "/v1/events?wait=30s"] {
        let answer = api.get(path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.headers()["retry-after"], "5");
        let text = answer.bytes().await.unwrap();
        assert!(!contains(&text, b"secret.db"), "{text:?}");
    }
    moody.away.store(false, Ordering::Relaxed);
    api.json("/v1/connections").await;
    api.stopped().await;
}

fn contains(text: &Bytes, part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_stream_outlives_an_outage() {
    let scene = Scene::new(&["main"]).await;
    let moody = Moody::away(&scene);
    let api = Served::over(&scene, moody.clone(), moody.clone(), quick());
    let answer = api.get("/v1/events").header("accept", "text/event-stream").send().await.unwrap();
    let mut stream = Sse::new(answer);
    scene.sync("main", "CONN000001", 1).await;
    assert_eq!(stream.block().await.unwrap(), "retry: 2000");
    assert_eq!(stream.block().await.unwrap(), ": still here");
    moody.away.store(false, Ordering::Relaxed);
    assert_eq!(stream.event().await.unwrap().data["subject"], "CONN000001");
    api.stopped().await;
}

#[tokio::test]
async fn numbering_goes_on_when_the_store_is_back() {
    let scene = Scene::new(&["main"]).await;
    let moody = Moody::away(&scene);
    let mut numberer = Numberer::new(moody.clone(), quick(), Metrics::register(&Registry::new()).unwrap());
    scene.sync("main", "CONN000001", 1).await;
    assert_eq!(numberer.step().await, Ok(Step::Away));
    moody.away.store(false, Ordering::Relaxed);
    assert!(matches!(numberer.step().await, Ok::<_, Error>(Step::Numbered(_))));
}
