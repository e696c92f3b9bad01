//! Steps of the schema that meet others: who is in the way, who is not held up, and what ends a step or only puts it off.

use store::StoreError;
use store::conformance::Stores;
use store::conformance::version5::POSTGRES;
use tests::looking::eventually;

use super::place::Place;
use super::{patient, shared};

/// What a dump does to the tables that steps change.
const DUMP: &str = "LOCK TABLE apps, deliveries, checkpoints IN ACCESS SHARE MODE";

/// The step that stands next in a database of version 5.
const NEXT: &str = "migration 6 (key answers)";

/// Lets the next try follow at once.
const FORGET: &str = "DELETE FROM meta WHERE starts_with(name, 'migration_')";

/// Has steps after the seventh sleep.
const DOZE: &str = "
    CREATE FUNCTION doze() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
        IF EXISTS (SELECT FROM schema_migrations WHERE version = 7) THEN PERFORM pg_sleep(3600); END IF;
    END $$;
    CREATE EVENT TRIGGER doze ON ddl_command_start EXECUTE FUNCTION doze()";

async fn version(place: &Place) -> i64 {
    place.number("SELECT max(version)::bigint FROM schema_migrations").await
}

/// Whether something else is tried again, and why.
fn put_off(ready: Result<(), StoreError>) -> Option<String> {
    match ready {
        Err(StoreError::Obstructed(why) | StoreError::Unavailable(why)) => Some(why),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_puts_a_step_off_and_the_steps_before_it_stay_done() {
    let place = Place::of_version_5().await;
    place.run(&POSTGRES.writes(1)).await;
    let dump = place.hold(DUMP).await;
    let why = put_off(place.store().ready().await).unwrap();
    assert!(why.contains(NEXT) && why.contains("lock timeout"), "{why}");
    // Another process leaves those alone who wait behind a step.
    let waits = eventually("nobody tries", async || match put_off(place.store().ready().await).unwrap() {
        why if why.contains(NEXT) && why.contains("is put off") => Ok(()),
        why => Err(why),
    });
    waits.await;
    // A person is told what is in the way.
    let why = put_off(place.store().migrate().await).unwrap();
    assert!(why.contains(NEXT) && why.contains("lock timeout"), "{why}");
    assert_eq!(version(&place).await, 5);
    let held = place.hold("LOCK TABLE checkpoints IN ACCESS SHARE MODE").await;
    dump.release().await;
    let all_but_one = eventually("what nobody is in the way of is done", async || {
        assert!(put_off(place.store().ready().await).is_some());
        match version(&place).await {
            8 => Ok(()),
            found => Err(format!("the version is {found}")),
        }
    });
    all_but_one.await;
    held.release().await;
    let store = place.store();
    let migrated = eventually("the rest is done", async || match store.ready().await {
        Ok(()) => Ok(()),
        refused => Err(put_off(refused).unwrap()),
    });
    migrated.await;
    POSTGRES.is_found(&Stores::new(store, ()), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_whose_connection_is_cut_is_continued_at_the_next_try() {
    let place = Place::of_version_5().await;
    place.run(DOZE).await;
    let store = place.store();
    let cut = eventually("a step is in the middle of its work", async || {
        match place.terminate("wait_event = 'PgSleep'").await {
            1 => Ok(()),
            found => Err(format!("{found} are")),
        }
    });
    let (ready, ()) = tokio::join!(store.ready(), cut);
    let why = put_off(ready).unwrap();
    assert!(why.contains("migration 8 (booked)") && why.contains("57P01"), "{why}");
    place.run("DROP EVENT TRIGGER doze").await;
    assert_eq!(version(&place).await, 7);
    assert_eq!(store.ready().await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_closed_while_a_step_takes_its_time() {
    let place = Place::of_version_5().await;
    place.run(DOZE).await;
    let store = place.store();
    let ready = tokio::spawn({
        let store = store.clone();
        async move { store.ready().await }
    });
    let asleep = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    let dozes = eventually("a step is in the middle of its work", async || match place.number(asleep).await {
        1 => Ok(()),
        found => Err(format!("{found} are")),
    });
    dozes.await;
    store.close().await;
    let why = put_off(ready.await.unwrap()).unwrap();
    assert!(why.contains("it was closed"), "{why}");
    assert_eq!(place.terminate("wait_event = 'PgSleep'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_does_not_wait_for_another_that_migrates() {
    let place = Place::of_version_5().await;
    let migrates = place.hold("SELECT pg_advisory_lock(x'66696e6c696e6b64'::bigint)").await;
    let why = put_off(place.store().ready().await).unwrap();
    assert!(why.contains("another process migrates the schema") && why.contains("lock timeout"), "{why}");
    migrates.release().await;
    let store = place.store();
    let migrated = eventually("it is its turn", async || match store.ready().await {
        Ok(()) => Ok(()),
        refused => Err(put_off(refused).unwrap()),
    });
    migrated.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_pass_is_waited_for_and_what_a_person_must_change_is_told() {
    let place = Place::of_version_5().await;
    place
        .run(
            "CREATE FUNCTION fail() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
                 RAISE 'as asked' USING ERRCODE = current_setting('test.code');
             END $$;
             CREATE EVENT TRIGGER fail ON ddl_command_start EXECUTE FUNCTION fail()",
        )
        .await;
    // A lock, a deadlock, a lost race, a shutdown, somebody who stopped it, a full disk, no memory, a disk's error, a standby.
    for code in ["55P03", "40P01", "40001", "57P01", "57P03", "57014", "53100", "53200", "58030", "25006"] {
        place.set(&format!("test.code = '{code}'")).await;
        let refused = place.store().ready().await;
        let why = put_off(refused.clone()).unwrap_or_else(|| panic!("{code}: {refused:?}"));
        assert!(why.contains(NEXT) && why.contains("tried again") && why.contains(code), "{why}");
        place.run(FORGET).await;
    }
    for (code, advice) in [("42501", "must be allowed to create tables"), ("42P07", "clashes"), ("XX000", "clashes")] {
        place.set(&format!("test.code = '{code}'")).await;
        let refused = place.store().ready().await;
        let Err(StoreError::Incompatible(why)) = &refused else { panic!("{code}: {refused:?}") };
        assert!(why.contains(NEXT) && why.contains(advice) && why.contains(code), "{why}");
        // Nobody tries again soon, and everybody is told the same.
        place.set("test.code = '55P03'").await;
        assert_eq!(place.store().ready().await, refused);
        // Unless a person says so, who is told what it is now.
        let why = put_off(place.store().migrate().await).unwrap();
        assert!(why.contains(NEXT) && why.contains("55P03"), "{why}");
        place.run(FORGET).await;
    }
    place.run("DROP EVENT TRIGGER fail").await;
    assert_eq!(version(&place).await, 5);
    assert_eq!(place.store().ready().await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_somebody_else_are_left_alone_and_told_of() {
    let place = Place::empty().await;
    place.run("CREATE TABLE apps (somebody text)").await;
    let refused = place.store().ready().await;
    let expected = "\"apps\" already exists (42P07); it clashes with what is in the database";
    assert!(matches!(&refused, Err(StoreError::Incompatible(why)) if why.contains(expected)), "{refused:?}");
    assert_eq!(place.number("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").await, 1);

    let place = Place::of_version_5().await;
    place
        .run(
            "CREATE USER owns_nothing; GRANT ALL ON SCHEMA public TO owns_nothing;
             GRANT ALL ON ALL TABLES IN SCHEMA public TO owns_nothing",
        )
        .await;
    let url = shared().url_for("owns_nothing", &place.database);
    let refused = Place::store_through(&url, &patient()).ready().await;
    let expected = "must be owner of table apps (42501); its user must be allowed to create tables, and own those";
    assert!(matches!(&refused, Err(StoreError::Incompatible(why)) if why.contains(expected)), "{refused:?}");
}
