//! The SQLite engine: the scenarios that every engine must pass, and what only a file can show.
#![allow(clippy::unwrap_used, reason = "these are tests; the lint's own exception knows only their functions")]

use std::time::Duration;

use async_trait::async_trait;
use events::{Checkpoint, SequenceRange, UtcMicros};
use sqlite::rusqlite::Connection;
use store::conformance::rebuild::Spoilt;
use store::conformance::world::{app, at, bound, names, webhook};
use store::conformance::{Engine, Stores, version5};
use store::sqlite::{OpenError, SqliteStore};
use store::{DeliveryFilter, Inspect, Intake, MigrateMode, PurgedDeliveries, Refresh, Rules, Settings, StoreError};
use tempfile::TempDir;

/// A file in a folder of its own.
struct Sqlite;

fn settings(folder: &TempDir, rules: Rules) -> Settings {
    Settings { folder: folder.path().to_owned(), migrate: MigrateMode::Auto, rules }
}

#[async_trait]
impl Engine for Sqlite {
    async fn open(&self, rules: Rules) -> Stores {
        let folder = tempfile::tempdir().unwrap();
        Stores::new(SqliteStore::open(&settings(&folder, rules)).unwrap(), folder)
    }
}

store::conformance_tests!(Sqlite);

fn mark(through: u64, refused: &[(u64, u64)]) -> Checkpoint {
    Checkpoint {
        instance: uuid::Uuid::from_u128(1),
        started_at: UtcMicros(0),
        at: UtcMicros(through as i64),
        decided_through: through,
        refused: refused.iter().map(|&(from, through)| SequenceRange { from, through }).collect(),
        last: false,
    }
}

#[test]
fn every_scenario_is_run() {
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/src/conformance");
    let list = include_str!("../src/conformance.rs");
    let mut scenarios = 0;
    for file in std::fs::read_dir(sources).unwrap() {
        let path = file.unwrap().path();
        let area = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines() {
            let Some(rest) = line.strip_prefix("pub async fn ") else { continue };
            let name = rest.split('(').next().unwrap();
            assert!(list.contains(&format!("{area}::{name},")), "{area}::{name} is not in conformance_tests!");
            scenarios += 1;
        }
    }
    assert!(scenarios > 50);
}

#[tokio::test]
async fn a_folder_belongs_to_one_writer_and_others_may_look() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder, Rules::default());
    assert!(matches!(SqliteStore::open_read_only(&settings), Err(OpenError::Missing(_))));
    let writer = SqliteStore::open(&settings).unwrap();
    assert!(matches!(SqliteStore::open(&settings), Err(OpenError::Locked(_))));
    let reader = SqliteStore::open_read_only(&settings).unwrap();
    writer.mark(&[mark(5, &[])]).await.unwrap();
    let marked = async |store: &SqliteStore| store.books().await.unwrap()[0].marked_at;
    assert_eq!(marked(&reader).await, Some(UtcMicros(5)));
    assert_eq!(reader.deliveries(&DeliveryFilter::default()).await.unwrap(), []);
    assert!(matches!(reader.probe().await, Err(StoreError::Unavailable(_))));
    writer.close().await;
    let again = SqliteStore::open(&settings).unwrap();
    assert_eq!(marked(&again).await, Some(UtcMicros(5)));
}

#[tokio::test]
async fn whoever_opens_the_folder_does_not_wait_for_the_lease_of_a_process_that_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder, Rules::default());
    let app = "main".parse().unwrap();
    let take = async |store: &SqliteStore, holder| {
        let (holder, hour) = (uuid::Uuid::from_u128(holder), UtcMicros(3_600_000_000));
        store.lease(&app, holder, UtcMicros(0), hour).await.unwrap().map(|lease| lease.fence)
    };
    let killed = SqliteStore::open(&settings).unwrap();
    assert_eq!(take(&killed, 1).await, Some(1));
    assert_eq!(take(&killed, 2).await, None);
    killed.close().await;
    let next = SqliteStore::open(&settings).unwrap();
    assert_eq!(take(&next, 3).await, Some(2));
    assert_eq!(take(&next, 4).await, None, "within one process a lease is a lease");
}

#[tokio::test]
async fn the_lease_of_a_process_that_is_gone_is_free_also_after_a_write_that_failed() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder, Rules::default());
    let app = "main".parse().unwrap();
    let take = async |store: &SqliteStore, holder| {
        store.lease(&app, uuid::Uuid::from_u128(holder), UtcMicros(0), UtcMicros(3_600_000_000)).await
    };
    let killed = SqliteStore::open(&settings).unwrap();
    take(&killed, 1).await.unwrap().unwrap();
    killed.close().await;
    let next = SqliteStore::open(&settings).unwrap();
    let file = Connection::open(folder.path().join("store.sqlite")).unwrap();
    file.execute_batch("CREATE TRIGGER no BEFORE UPDATE ON leases BEGIN SELECT RAISE(ABORT, 'no'); END").unwrap();
    take(&next, 2).await.unwrap_err();
    file.execute_batch("DROP TRIGGER no").unwrap();
    assert_eq!(take(&next, 2).await.unwrap().map(|lease| lease.fence), Some(2));
}

#[tokio::test]
async fn a_schema_is_only_migrated_where_it_may_be() {
    let folder = tempfile::tempdir().unwrap();
    let auto = settings(&folder, Rules::default());
    let check = Settings { migrate: MigrateMode::Check, ..auto.clone() };
    assert!(matches!(SqliteStore::open(&check), Err(OpenError::NeedsMigration { found: 0, .. })));
    SqliteStore::open(&auto).unwrap().close().await;
    SqliteStore::open(&check).unwrap().close().await;
    let file = Connection::open(folder.path().join("store.sqlite")).unwrap();
    file.pragma_update(None, "user_version", 1000).unwrap();
    assert!(matches!(SqliteStore::open(&auto), Err(OpenError::Newer { found: 1000, .. })));
}

#[tokio::test]
async fn a_filled_store_of_version_5_is_migrated_and_its_program_still_writes() {
    let folder = tempfile::tempdir().unwrap();
    let file = Connection::open(folder.path().join("store.sqlite")).unwrap();
    version5::SQLITE.steps.iter().for_each(|step| file.execute_batch(step).unwrap());
    file.pragma_update(None, "user_version", 5).unwrap();
    file.execute_batch(&version5::SQLITE.writes(1)).unwrap();
    let settings = settings(&folder, Rules::default());
    let stores = Stores::new(SqliteStore::open(&settings).unwrap(), folder);
    version5::SQLITE.is_found(&stores, 1).await;
    file.execute_batch(&version5::SQLITE.writes(2)).unwrap();
    version5::SQLITE.is_found(&stores, 2).await;
    version5::SQLITE.is_continued(&stores, 2).await;
}

#[tokio::test]
async fn what_an_older_program_recorded_ages_from_when_the_schema_knew_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = Connection::open(folder.path().join("store.sqlite")).unwrap();
    version5::SQLITE.steps.iter().for_each(|step| file.execute_batch(step).unwrap());
    file.pragma_update(None, "user_version", 5).unwrap();
    file.execute_batch(&version5::SQLITE.writes(1)).unwrap();
    let started = UtcMicros::now();
    let store = SqliteStore::open(&settings(&folder, Rules::default())).unwrap();
    let from = "SELECT value FROM meta WHERE name = 'recorded_from'";
    let from = UtcMicros(file.query_row(from, [], |row| row.get(0)).unwrap());
    assert!(
        started.since(from).max(from.since(started)) < Duration::from_mins(1),
        "{from} is not when it was migrated"
    );
    let lease = store.lease(&app(), uuid::Uuid::from_u128(1), at(0), at(60)).await.unwrap().unwrap();
    let purge = async |before| store.purge_deliveries(&lease, before, None, 100).await.unwrap();
    assert_eq!(purge(from).await, PurgedDeliveries::default());
    let expected = PurgedDeliveries { deliveries: 1, bodies: 0, next: None };
    assert_eq!(purge(UtcMicros(from.0 + 1)).await, expected, "the other one is pending");
}

#[tokio::test]
async fn whatever_is_spoilt_in_the_table_of_connections_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.sqlite");
    let stores = Stores::new(SqliteStore::open(&settings(&folder, Rules::default())).unwrap(), folder);
    let (spoilt, statements) = Spoilt::of(&stores).await;
    let file = Connection::open(file).unwrap();
    for statement in &statements {
        assert_ne!(file.execute(statement, []).unwrap(), 0, "{statement}");
    }
    spoilt.is_told().await;
}

#[tokio::test]
async fn refused_numbers_are_kept_as_ranges_that_do_not_touch() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder, Rules::default());
    let store = SqliteStore::open(&settings).unwrap();
    store.mark(&[mark(40, &[(31, 35), (38, 38)]), mark(10, &[(2, 3), (5, 5)])]).await.unwrap();
    store.mark(&[mark(20, &[(4, 4), (12, 14)]), mark(30, &[(6, 6), (13, 20), (30, 30)])]).await.unwrap();
    store.mark(&[mark(10, &[(2, 3), (5, 5)]), mark(40, &[(36, 37)])]).await.unwrap();
    store.close().await;
    let file = Connection::open(folder.path().join("store.sqlite")).unwrap();
    let mut statement = file.prepare("SELECT first, through FROM refused ORDER BY first").unwrap();
    let ranges = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).unwrap();
    let ranges: Vec<_> = ranges.map(Result::unwrap).collect();
    assert_eq!(ranges, [(2, 6), (12, 20), (30, 38)]);
    let through: i64 = file.query_row("SELECT decided_through FROM checkpoints", [], |row| row.get(0)).unwrap();
    assert_eq!(through, 40);
}

#[tokio::test]
async fn what_is_booked_of_a_run_is_one_row_after_its_mark() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&settings(&folder, Rules::default())).unwrap();
    let numbered = |instance, sequence| {
        let mut reading = webhook(names(&[1]), bound(), UtcMicros(0));
        (reading.webhook.instance, reading.webhook.sequence) = (uuid::Uuid::from_u128(instance), sequence);
        reading
    };
    for (instance, sequence) in [(1, 4), (1, 1), (2, 1), (1, 2), (2, 2), (1, 9)] {
        store.record(&[numbered(instance, sequence)]).await.unwrap();
    }
    store.mark(&[mark(4, &[])]).await.unwrap();
    store.mark(&[mark(5, &[])]).await.unwrap();
    store.close().await;
    let file = Connection::open(folder.path().join("store.sqlite")).unwrap();
    let mut statement = file.prepare("SELECT numbers FROM booked ORDER BY instance, numbers").unwrap();
    let numbers: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(numbers, ["1-2,4,9", "1", "2"], "of the other run no mark came yet");
}

#[tokio::test]
async fn sql_users_have_their_views() {
    let folder = tempfile::tempdir().unwrap();
    SqliteStore::open(&settings(&folder, Rules::default())).unwrap().close().await;
    let file = Connection::open(folder.path().join("store.sqlite")).unwrap();
    let columns = |view: &str| {
        let statement = file.prepare(&format!("SELECT * FROM {view}")).unwrap();
        statement.column_names().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        columns("connections_v1"),
        "app token status entity update_token restore_token two_factor_enabled has_credentials external_id created_at \
         updated_at last_sync error_reason error_type error_retryable version as_of deleted_at"
    );
    assert_eq!(columns("events_v1"), "number id type app token version time event");
}
