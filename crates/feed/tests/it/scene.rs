//! A store with connections in it, and someone who plays the reconciler.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use connections::{Answer, Read};
use events::{AppName, ConnectionStatus, ConnectionToken, UtcMicros};
use serde_json::json;
use store::sqlite::SqliteStore;
use store::{AppPin, Cursor, Feed, FeedEntry, FeedFilter, Lease, MigrateMode, Observation, Refresh, Rules, Settings};
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) const MINUTE: Duration = Duration::from_mins(1);

pub(crate) struct Scene {
    pub(crate) store: SqliteStore,
    leases: BTreeMap<AppName, Lease>,
    reads: AtomicU64,
    _folder: TempDir,
}

/// What a read of a connection found.
pub(crate) struct Seen<'a> {
    pub(crate) token: &'a str,
    pub(crate) status: &'a str,
    pub(crate) external_id: Option<&'a str>,
    pub(crate) entity: String,
    /// `lastSync` and `updatedAt`, in minutes after the beginning of the scene.
    pub(crate) synced_minute: u64,
    pub(crate) as_of: UtcMicros,
}

impl<'a> Seen<'a> {
    pub(crate) fn ready(token: &'a str, synced_minute: u64) -> Self {
        let as_of = UtcMicros::now();
        Self { token, status: "READY", external_id: None, entity: "santander".to_owned(), synced_minute, as_of }
    }
}

impl Scene {
    pub(crate) async fn new(apps: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let rules = Rules { announce_existing: true, ..Rules::default() };
        let settings = Settings { folder: folder.path().to_owned(), migrate: MigrateMode::Auto, rules };
        let store = SqliteStore::open(&settings).unwrap();
        let mut leases = BTreeMap::new();
        for app in apps {
            let app: AppName = app.parse().unwrap();
            let now = UtcMicros::now();
            store.enrol(&AppPin { app: app.clone(), client_id: format!("client of {app}") }, now).await.unwrap();
            let lease = store.lease(&app, Uuid::max(), now, now.plus(600 * MINUTE)).await.unwrap().unwrap();
            leases.insert(app, lease);
        }
        Self { store, leases, reads: AtomicU64::new(1), _folder: folder }
    }

    /// Observes reads of an app, in one transaction.
    pub(crate) async fn observe(&self, app: &str, seen: &[Seen<'_>]) {
        let app: AppName = app.parse().unwrap();
        let observations: Vec<_> = seen.iter().map(|seen| self.observation(&app, seen)).collect();
        let lease = &self.leases[&app];
        self.store.observe(lease, &observations, None, UtcMicros::now()).await.unwrap();
    }

    fn observation(&self, app: &AppName, seen: &Seen<'_>) -> Observation {
        let start = UtcMicros(1_700_000_000_000_000);
        let updated = start.plus(MINUTE * u32::try_from(seen.synced_minute).unwrap());
        let mut raw = json!({
            "credentialsToken": seen.token,
            "status": seen.status,
            "entity": seen.entity,
            "createdAt": start,
            "updatedAt": updated,
            "lastSync": updated,
            "hasCredentials": true,
        });
        if let Some(external_id) = seen.external_id {
            raw["externalId"] = json!(external_id);
        }
        let status = Box::new(ConnectionStatus::from_value(raw.clone()).unwrap());
        let read = Read {
            app: app.clone(),
            token: token(seen.token),
            read_no: self.reads.fetch_add(1, Ordering::Relaxed),
            as_of: seen.as_of,
            answer: Answer::Found { status, raw },
        };
        Observation { read, claim: None }
    }

    /// One more event, at least, of this connection.
    pub(crate) async fn sync(&self, app: &str, token: &str, minute: u64) {
        self.observe(app, &[Seen::ready(token, minute)]).await;
    }

    /// Gives every committed event its number.
    pub(crate) async fn number(&self) {
        while self.store.number(1000).await.unwrap().count > 0 {}
    }

    /// Purges the oldest events of an app, however young they are; answers how many.
    pub(crate) async fn purge(&self, app: &str, limit: usize) -> u64 {
        let (lease, before) = (&self.leases[&app.parse().unwrap()], UtcMicros::now().plus(MINUTE));
        self.store.purge_events(lease, before, Cursor(0), limit).await.unwrap().events
    }

    /// Every numbered event, read without the API.
    pub(crate) async fn all(&self) -> Vec<FeedEntry> {
        self.store.after(Cursor(0), &FeedFilter::default(), 1_000_000).await.unwrap().entries
    }

    pub(crate) fn arc(&self) -> Arc<SqliteStore> {
        Arc::new(self.store.clone())
    }
}

pub(crate) fn token(text: &str) -> ConnectionToken {
    text.parse().unwrap()
}
