//! The store: SQLite in the data folder, or a PostgreSQL that processes share.

use std::sync::Arc;

use store::postgres::PostgresStore;
use store::sqlite::SqliteStore;
use store::{Feed, Inspect, Intake, Refresh, StoreError};

use crate::settings::{Settings, StoreEngine};

/// The store, open for writing; handles share it.
#[derive(Clone)]
pub(crate) enum Store {
    /// Nobody else can open it meanwhile.
    Sqlite(SqliteStore),
    /// Shared with other processes.
    Postgres(PostgresStore),
}

macro_rules! port {
    ($store:expr, $port:ty) => {
        match $store {
            Store::Sqlite(store) => Arc::new(store.clone()) as Arc<$port>,
            Store::Postgres(store) => Arc::new(store.clone()) as Arc<$port>,
        }
    };
}

impl Store {
    /// For the consumer.
    pub(crate) fn intake(&self) -> Arc<dyn Intake> {
        port!(self, dyn Intake)
    }

    /// For the reconciler.
    pub(crate) fn refresh(&self) -> Arc<dyn Refresh> {
        port!(self, dyn Refresh)
    }

    /// For the feed.
    pub(crate) fn feed(&self) -> Arc<dyn Feed> {
        port!(self, dyn Feed)
    }

    /// For a person.
    pub(crate) fn inspect(&self) -> Arc<dyn Inspect> {
        port!(self, dyn Inspect)
    }

    /// Says what keeps it from working for good. One that is merely away is waited for by everyone who uses it.
    pub(crate) async fn fits(&self) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(store) => match store.ready().await {
                Ok(()) => Ok(()),
                Err(StoreError::Unavailable(why) | StoreError::Obstructed(why)) => {
                    tracing::warn!(reason = why, "the database cannot be used yet; trying on");
                    Ok(())
                }
                Err(error) => Err(error.into()),
            },
        }
    }

    /// Writes what was accepted and ends.
    pub(crate) async fn close(self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store) => store.close().await,
        }
    }
}

/// Opens the store for writing.
pub(crate) fn open_store(settings: &Settings) -> anyhow::Result<Store> {
    Ok(match engine(settings)? {
        StoreEngine::Sqlite => Store::Sqlite(SqliteStore::open(&store_settings(settings))?),
        StoreEngine::Postgres(address) => {
            let name = format!("finlinkd {}", std::process::id());
            Store::Postgres(PostgresStore::connect(address, &name, &store_settings(settings), &settings.postgres)?)
        }
    })
}

/// What can be seen of a store's schema.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// It can be used.
    Fits,
    /// A person has to act, and why.
    Unfit(String),
    /// Nothing can be said just now: the database is away, or others are in the way of what it lacks.
    Unseen(String),
}

/// Looks at the schema of a database, and migrates it where the settings say so.
pub(crate) async fn look_at_schema(settings: &Settings) -> anyhow::Result<Look> {
    let StoreEngine::Postgres(_) = engine(settings)? else { return Ok(Look::Fits) };
    let store = open_store(settings)?;
    let ready = match &store {
        Store::Sqlite(_) => Ok(()),
        Store::Postgres(store) => store.ready().await,
    };
    store.close().await;
    Ok(match ready {
        Ok(()) => Look::Fits,
        Err(unfit @ StoreError::Incompatible(_)) => Look::Unfit(unfit.to_string()),
        Err(away) => Look::Unseen(away.to_string()),
    })
}

/// Brings the schema up to date whatever the settings say, and tells of which store. Whoever is in the way is an error here,
/// a server that is away too: a person waits for the answer.
pub(crate) async fn migrate_store(settings: &Settings) -> anyhow::Result<String> {
    let mut settings = settings.clone();
    settings.store.migrate = store::MigrateMode::Auto;
    let store = open_store(&settings)?;
    // A folder's store is migrated where it is opened.
    let migrated = match &store {
        Store::Sqlite(_) => Ok(()),
        Store::Postgres(store) => store.migrate().await,
    };
    store.close().await;
    migrated?;
    store_shown(&settings)
}

/// Which store it is, for a person.
pub(crate) fn store_shown(settings: &Settings) -> anyhow::Result<String> {
    Ok(match engine(settings)? {
        StoreEngine::Sqlite => format!("the store in {}", settings.data_dir.display()),
        StoreEngine::Postgres(address) => address.shown()?,
    })
}

/// The store for a person, beside whoever writes it.
pub(crate) fn look_into_store(settings: &Settings) -> anyhow::Result<Arc<dyn Inspect>> {
    Ok(match engine(settings)? {
        StoreEngine::Sqlite => Arc::new(SqliteStore::open_read_only(&store_settings(settings))?),
        StoreEngine::Postgres(_) => open_store(&looking(settings))?.inspect(),
    })
}

/// The feed for a person, beside whoever writes it.
pub(crate) fn look_into_feed(settings: &Settings) -> anyhow::Result<Arc<dyn Feed>> {
    Ok(match engine(settings)? {
        StoreEngine::Sqlite => Arc::new(SqliteStore::open_read_only(&store_settings(settings))?),
        StoreEngine::Postgres(_) => open_store(&looking(settings))?.feed(),
    })
}

/// Looking never migrates what others work with.
fn looking(settings: &Settings) -> Settings {
    let mut settings = settings.clone();
    settings.store.migrate = store::MigrateMode::Check;
    settings
}

fn engine(settings: &Settings) -> anyhow::Result<StoreEngine> {
    settings.store.engine().map_err(|problem| anyhow::anyhow!("{problem}"))
}

fn store_settings(settings: &Settings) -> store::Settings {
    let rules = store::Rules { schedule: settings.schedule.clone(), ..settings.rules.clone() };
    store::Settings { folder: settings.data_dir.clone(), migrate: settings.store.migrate, rules }
}
