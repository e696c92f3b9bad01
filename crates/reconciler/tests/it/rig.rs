//! A store in a folder of its own, a Finlink, and made-up time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use events::{AppName, BodyHash, BodyTells, Connection, RawWebhook, Receipt, TokenFields, UtcMicros, Verification};
use prometheus::Registry;
use reconciler::{App, Did, KeyBoard, Metrics, Reconciler, Retention, SecretSource, Settings, Wiring};
use serde_json::json;
use store::sqlite::SqliteStore;
use store::{ConnectionFilter, Explanation, Inspect, Intake, Lease, MigrateMode, Reading, Refresh, StoreError};
use tempfile::TempDir;
use tokio::sync::watch;
use uuid::Uuid;
use verification::KeySnapshot;

use crate::finlink::Finlink;
use crate::signing::SigningKey;

/// Steps after which work that does not end is a fault.
const STEPS_MAX: usize = 500;

pub(crate) struct Rig {
    pub(crate) finlink: Finlink,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) settings: Settings,
    pub(crate) retention: Retention,
    pub(crate) rules: store::Rules,
    pub(crate) keys: KeyBoard,
    pub(crate) snapshot: watch::Receiver<KeySnapshot>,
    pub(crate) registry: Registry,
    pub(crate) metrics: Metrics,
    pub(crate) now: UtcMicros,
    pub(crate) folder: TempDir,
    instance: Uuid,
    sequence: u64,
}

impl Rig {
    pub(crate) async fn new() -> Self {
        Self::with(|_, _| {}).await
    }

    /// A rig with other settings and rules than the defaults (requests are never slowed down here).
    pub(crate) async fn with(change: impl FnOnce(&mut Settings, &mut store::Rules)) -> Self {
        let finlink = Finlink::start().await;
        let mut settings = Settings {
            base_url: finlink.url(),
            max_requests_per_second: 100_000,
            retry_wait: Duration::from_millis(1),
            ..Settings::default()
        };
        let mut rules = store::Rules::default();
        change(&mut settings, &mut rules);
        let folder = TempDir::new().unwrap();
        let store_settings =
            store::Settings { folder: folder.path().to_owned(), migrate: MigrateMode::Auto, rules: rules.clone() };
        let (keys, snapshot) = KeyBoard::new();
        let registry = Registry::new();
        Self {
            finlink,
            store: Arc::new(SqliteStore::open(&store_settings).unwrap()),
            settings,
            retention: Retention::default(),
            rules,
            keys,
            snapshot,
            metrics: Metrics::register(&registry).unwrap(),
            registry,
            now: "2026-01-01T12:00:00Z".parse().unwrap(),
            folder,
            instance: Uuid::new_v4(),
            sequence: 0,
        }
    }

    pub(crate) fn app() -> AppName {
        "main".parse().unwrap()
    }

    /// A reconciler as a process that just started has it.
    pub(crate) fn reconciler(&self) -> Reconciler {
        self.reconciler_with(SecretSource::Value("secret".into()))
    }

    pub(crate) fn reconciler_with(&self, client_secret: SecretSource) -> Reconciler {
        let app = App { name: Self::app(), client_id: "client".to_owned(), client_secret };
        Reconciler::new(app, self.wiring()).unwrap()
    }

    pub(crate) fn wiring(&self) -> Wiring {
        Wiring {
            refresh: self.store.clone(),
            settings: self.settings.clone(),
            retention: self.retention.clone(),
            rules: self.rules.clone(),
            verification: verification::Rules::default(),
            metrics: self.metrics.clone(),
            keys: self.keys.clone(),
        }
    }

    pub(crate) fn later(&mut self, by: Duration) {
        self.now = self.now.plus(by);
    }

    /// Steps at the same time until nothing is left to do; answers all but the last, and then the last.
    pub(crate) async fn settle(&self, reconciler: &mut Reconciler) -> (Vec<Did>, Did) {
        let mut dids = Vec::new();
        for _ in 0..STEPS_MAX {
            let step = reconciler.step(self.now).await;
            match step.did {
                Did::Listed { .. } | Did::Read { .. } | Did::AskedKey => dids.push(step.did),
                Did::Nothing | Did::Standby | Did::Paused(_) => return (dids, step.did),
            }
        }
        panic!("work without end: {dids:?}");
    }

    /// Lets time pass in strides, settling after each.
    pub(crate) async fn pass(&mut self, reconciler: &mut Reconciler, time: Duration, stride: Duration) {
        let end = self.now.plus(time);
        while self.now < end {
            self.later(stride);
            self.settle(reconciler).await;
        }
    }

    /// A verified webhook with this body arrives.
    pub(crate) async fn receive(&mut self, body: &[u8], binds_body: bool) -> Receipt {
        self.record(body, Verification::Verified { kid: Uuid::nil(), binds_body }).await
    }

    /// A webhook arrives that names a connection, its body bound by its signature.
    pub(crate) async fn hint(&mut self, token: &str) -> Receipt {
        let body = json!({ "connectionToken": token, "nonce": Uuid::new_v4() }).to_string();
        self.receive(body.as_bytes(), true).await
    }

    /// A webhook arrives that names a connection and is signed by a key that ingress does not know.
    pub(crate) async fn pend(&mut self, key: &SigningKey, token: &str) -> Receipt {
        let body = json!({ "connectionToken": token, "nonce": Uuid::new_v4() }).to_string();
        let jwt = key.jwt(body.as_bytes(), self.now);
        self.record(body.as_bytes(), Verification::Pending { kid: key.kid, jwt }).await
    }

    pub(crate) async fn record(&mut self, body: &[u8], verification: Verification) -> Receipt {
        self.sequence += 1;
        let webhook = RawWebhook {
            receipt: Receipt::draw(),
            app: Self::app(),
            instance: self.instance,
            sequence: self.sequence,
            decided_through: self.sequence - 1,
            received_at: self.now,
            verification,
            content_type: Some("application/json".to_owned()),
            traceparent: None,
            body_sha256: BodyHash::of(body),
            body: Bytes::copy_from_slice(body),
        };
        let receipt = webhook.receipt;
        let tells = BodyTells::read(body, &TokenFields::default());
        self.store.record(&[Reading { webhook, tells }]).await.unwrap();
        receipt
    }

    /// The last time of which ingress is told that Finlink could be asked for keys.
    pub(crate) fn answered_at(&self) -> Option<UtcMicros> {
        self.snapshot.borrow().answered.get(&Self::app()).copied()
    }

    pub(crate) async fn connections(&self) -> Vec<Connection> {
        self.store.connections(&ConnectionFilter::default()).await.unwrap()
    }

    /// The tokens that are there, and those found deleted.
    pub(crate) async fn tokens(&self) -> (Vec<String>, Vec<String>) {
        let (deleted, live): (Vec<_>, Vec<_>) =
            self.connections().await.into_iter().partition(|connection| connection.deleted_at.is_some());
        let tokens = |of: Vec<Connection>| of.into_iter().map(|connection| connection.token.to_string()).collect();
        (tokens(live), tokens(deleted))
    }

    pub(crate) async fn connection(&self, token: &str) -> Connection {
        self.store.connection(&token.parse().unwrap()).await.unwrap().remove(0)
    }

    pub(crate) async fn explain(&self, token: &str) -> Explanation {
        self.store.explain(&Self::app(), &token.parse().unwrap()).await.unwrap()
    }

    /// What is recorded about a delivery's signature.
    pub(crate) async fn verification(&self, receipt: Receipt) -> String {
        self.store.delivery(receipt).await.unwrap().unwrap().row.verification
    }

    /// The lease, for a reconciler that no test drives.
    pub(crate) async fn lease(&self, holder: Uuid) -> Result<Option<Lease>, StoreError> {
        self.store.lease(&Self::app(), holder, self.now, self.now.plus(self.settings.lease)).await
    }

    /// When the lease ends, as the store has it.
    pub(crate) fn lease_ends_at(&self) -> UtcMicros {
        let database = self.database();
        UtcMicros(database.query_row("SELECT max(expires_at) FROM leases", [], |row| row.get(0)).unwrap())
    }

    /// The store's file, known by how every SQLite file begins.
    pub(crate) fn database(&self) -> sqlite::rusqlite::Connection {
        let mut files = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let file = files.find(|file| std::fs::read(file).unwrap().starts_with(b"SQLite format 3")).unwrap();
        sqlite::rusqlite::Connection::open(file).unwrap()
    }

    /// The sum of a metric over the labels given.
    pub(crate) fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name);
        let metrics = family.map(prometheus::proto::MetricFamily::get_metric).unwrap_or_default();
        let fits = |metric: &&prometheus::proto::Metric| {
            labels.iter().all(|(name, value)| {
                metric.get_label().iter().any(|label| label.name() == *name && label.value() == *value)
            })
        };
        metrics
            .iter()
            .filter(fits)
            .map(|metric| metric.get_counter().get_value() + metric.get_gauge().get_value())
            .sum()
    }
}

/// Tokens as Finlink makes them: ten letters and digits.
pub(crate) fn token(number: usize) -> String {
    format!("C{number:09}")
}
