//! The schema: made by many at once, made by nobody where it must not be, and used only where it fits.

use futures_util::future::join_all;
use store::conformance::Stores;
use store::conformance::version5::POSTGRES;
use store::conformance::world::{bound, names, webhook};
use store::postgres::PostgresStore;
use store::{Intake, MigrateMode, Recorded, Rules, StoreError};
use tests::looking::eventually;

use super::place::{Place, second};
use super::{address, new_database, patient, shared, store_settings};

/// Steps that were applied.
const VERSIONS: &str = "SELECT count(*) FROM schema_migrations";

fn looking(place: &Place) -> PostgresStore {
    let settings = store_settings(MigrateMode::Check, Rules::default());
    PostgresStore::connect(address(&place.url), "under test", &settings, &patient()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_meet_an_empty_database_make_the_schema_once() {
    let place = Place::empty().await;
    let stores: Vec<_> = (0..12).map(|_| place.store()).collect();
    // However long the steps take: whoever finds another at them asks again.
    let ready = async |store: &PostgresStore| {
        let ready = async || match store.ready().await {
            Ok(()) => Ok(()),
            Err(StoreError::Obstructed(why)) => Err(why),
            Err(error) => panic!("{error}"),
        };
        eventually("the schema is made", ready).await;
    };
    join_all(stores.iter().map(ready)).await;
    let newest = place.number("SELECT max(version)::bigint FROM schema_migrations").await;
    assert_eq!(place.number(VERSIONS).await, newest);
    let one = [webhook(names(&[1]), bound(), second(1))];
    assert_eq!(stores[11].record(&one).await, Ok(vec![Recorded::New]));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_cut_off_while_another_migrates_tries_again() {
    let place = Place::empty().await;
    let store = place.store();
    let held = place.hold("SELECT pg_advisory_xact_lock(x'66696e6c696e6b64'::bigint)").await;
    // As a person, who waits for a turn for as long as it takes.
    let (migrated, ended) = tokio::join!(store.migrate(), async {
        place.blocked(1).await;
        place.terminate("wait_event_type = 'Lock'").await
    });
    assert_eq!(ended, 1);
    assert!(matches!(migrated, Err(StoreError::Unavailable(_))), "{migrated:?}");
    let (migrated, ()) = tokio::join!(store.migrate(), async {
        place.blocked(1).await;
        held.release().await;
    });
    assert_eq!(migrated, Ok(()));
    // Whoever migrated holds the lock no longer.
    assert_eq!(place.store().ready().await, Ok(()));
    let held = "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
        WHERE locktype = 'advisory' AND datname = current_database()";
    assert_eq!(place.number(held).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_schema_is_left_alone_where_the_settings_say_so() {
    let place = Place::empty().await;
    let refused = looking(&place).ready().await;
    assert!(matches!(&refused, Err(StoreError::Incompatible(why)) if why.contains("finlinkd migrate")), "{refused:?}");
    assert_eq!(place.number("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").await, 0);
    place.store().ready().await.unwrap();
    assert_eq!(looking(&place).ready().await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filled_database_of_version_5_is_migrated_and_its_program_still_writes() {
    let place = Place::of_version_5().await;
    place.run(&POSTGRES.writes(1)).await;
    let stores = Stores::new(place.store(), ());
    POSTGRES.is_found(&stores, 1).await;
    place.run(&POSTGRES.writes(2)).await;
    POSTGRES.is_found(&stores, 2).await;
    POSTGRES.is_continued(&stores, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_used_for_as_long_as_it_allows_it() {
    let place = Place::new().await;
    place.run("INSERT INTO schema_migrations (version, name) VALUES (999, 'later')").await;
    assert_eq!(place.store().ready().await, Ok(()));
    place.run("UPDATE meta SET value = 999 WHERE name = 'min_reader_version'").await;
    let refused = place.store().ready().await;
    assert!(matches!(&refused, Err(StoreError::Incompatible(why)) if why.contains("999")), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_made_only_where_text_is_utf8_and_its_user_may() {
    let name = format!("{}_latin", tokio::task::block_in_place(new_database));
    let latin = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'");
    tokio::task::block_in_place(|| shared().query("postgres", &latin).unwrap());
    let latin = Place::on(shared(), name).await;
    let refused = latin.store().ready().await;
    assert!(matches!(&refused, Err(StoreError::Incompatible(why)) if why.contains("UTF8")), "{refused:?}");

    let place = Place::empty().await;
    place.run("CREATE USER may_create_nothing; REVOKE CREATE ON SCHEMA public FROM PUBLIC").await;
    let url = shared().url_for("may_create_nothing", &place.database);
    let refused = Place::store_through(&url, &patient()).ready().await;
    let expected = "its user must be allowed to create tables";
    assert!(matches!(&refused, Err(StoreError::Incompatible(why)) if why.contains(expected)), "{refused:?}");
    assert_eq!(place.number("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_somebody_changed_is_said_not_to_fit() {
    let place = Place::new().await;
    let store = place.store();
    store.ready().await.unwrap();
    place.run("ALTER TABLE deliveries DROP COLUMN token").await;
    let refused = store.record(&[webhook(names(&[1]), bound(), second(1))]).await;
    assert!(matches!(&refused, Err(StoreError::Incompatible(why)) if why.contains("token")), "{refused:?}");
}
