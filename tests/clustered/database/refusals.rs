//! A server that says no: each time one clear line that names what a person can change, and everything waits until then.

use std::time::Duration;

use events::{Checkpoint, SequenceRange};
use store::conformance::world::{bound, names, webhook};
use store::postgres::{Address, PostgresStore, Settings};
use store::{Intake, MigrateMode, Recorded, Rules, StoreError};
use tests::servers::free_port;
use uuid::Uuid;

use super::place::{Place, second};
use super::{patient, shared, store_settings};

/// What the store says at this address; it must be something that waiting may help with.
async fn refusal(url: &str) -> String {
    match Place::store_through(url, &patient()).ready().await {
        Err(StoreError::Unavailable(why)) => why,
        other => panic!("{url}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_address_is_named_with_its_setting() {
    let place = Place::new().await;
    tokio::task::block_in_place(|| shared().create_user("with_password", "right").unwrap());
    let (port, nobody) = (shared().port().to_string(), free_port().unwrap().to_string());
    let url_for = |user| shared().url_for(user, &place.database);
    let wrongs = [
        (url_for("with_password:wrong"), "the user with_password or its password: check store.url"),
        (url_for("with_password"), "store.url"),
        (url_for("not_there"), "the user not_there or its password: check store.url"),
        (shared().superuser_url("not_there"), "has no database not_there: create it, or check store.url"),
        (place.url.replace("127.0.0.1", "nowhere.invalid"), "nowhere.invalid"),
        (place.url.replace(&port, &nobody), &*format!("no connection to 127.0.0.1:{nobody}, which store.url names")),
    ];
    for (url, expected) in wrongs {
        let why = refusal(&url).await;
        assert!(why.contains(expected) && why.contains("store.url"), "{why}\nshould say: {expected}");
        assert!(!why.contains("wrong"), "a password is shown: {why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_in_a_file_is_read_again_once_it_is_right() {
    let place = Place::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("address");
    let settings = store_settings(MigrateMode::Auto, Rules::default());
    let store = PostgresStore::connect(Address::File(file.clone()), "test", &settings, &patient()).unwrap();
    let expected = format!("store.url_file ({})", file.display());
    for (text, reason) in [(None, "cannot be read"), (Some("db.internal"), "holds no address of a database")] {
        if let Some(text) = text {
            std::fs::write(&file, text).unwrap();
        }
        let why = store.ready().await.unwrap_err().to_string();
        assert!(why.contains(&expected) && why.contains(reason), "{why}");
    }
    std::fs::write(&file, &place.url).unwrap();
    assert_eq!(store.ready().await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_may_not_connect_or_has_no_connection_left_is_named() {
    let place = Place::new().await;
    let database = &place.database;
    place.run(&format!("CREATE USER kept_out; REVOKE CONNECT ON DATABASE {database} FROM PUBLIC")).await;
    let url = shared().url_for("kept_out", database);
    let why = refusal(&url).await;
    assert!(why.contains("kept_out may not use the database") && why.contains("grant it CONNECT"), "{why}");
    place
        .run(&format!("GRANT CONNECT ON DATABASE {database} TO kept_out; ALTER USER kept_out CONNECTION LIMIT 0"))
        .await;
    let why = refusal(&url).await;
    assert!(why.contains("no connection left"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_missing_is_named_and_fails_the_probe_too() {
    let place = Place::new().await;
    place.run("CREATE USER half_trusted; GRANT ALL ON ALL TABLES IN SCHEMA public TO half_trusted").await;
    let store = Place::store_through(&shared().url_for("half_trusted", &place.database), &patient());
    let one = [webhook(names(&[1]), bound(), second(1))];
    let mark = Checkpoint {
        instance: Uuid::nil(),
        started_at: second(0),
        at: second(5),
        decided_through: 11,
        refused: vec![SequenceRange { from: 2, through: 3 }],
        last: false,
    };
    for table in ["deliveries", "bodies", "refreshes", "counters", "apps", "checkpoints", "refused"] {
        place.run(&format!("REVOKE INSERT ON {table} FROM half_trusted")).await;
        let refused = match table {
            "checkpoints" | "refused" => store.mark(std::slice::from_ref(&mark)).await,
            _ => store.record(&one).await.map(drop),
        };
        let expected = format!("permission denied for table {table}");
        assert!(matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains(&expected)), "{refused:?}");
        assert!(refused.unwrap_err().to_string().contains("store.url"));
        // Else the consumer would blame its messages.
        let probed = store.probe().await;
        assert!(matches!(&probed, Err(StoreError::Unavailable(why)) if why.contains(&expected)), "{probed:?}");
        place.run(&format!("GRANT INSERT ON {table} TO half_trusted")).await;
    }
    assert_eq!(store.probe().await, Ok(()));
    assert_eq!(store.record(&one).await, Ok(vec![Recorded::New]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_locked_for_long_fails_the_probe_too() {
    let place = Place::new().await;
    let short = Duration::from_millis(100);
    let store = place.store_with(&Settings { lock_timeout: short, ..patient() });
    store.ready().await.unwrap();
    for table in ["deliveries", "apps", "checkpoints", "refused"] {
        let held = place.hold(&format!("LOCK TABLE {table} IN EXCLUSIVE MODE")).await;
        let probed = store.probe().await;
        assert!(matches!(&probed, Err(StoreError::Obstructed(why)) if why.contains("lock timeout")), "{probed:?}");
        held.release().await;
        assert_eq!(store.probe().await, Ok(()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_can_only_be_read_is_waited_for() {
    let place = Place::new().await;
    place.set("default_transaction_read_only = on").await;
    let store = place.store();
    let one = [webhook(names(&[1]), bound(), second(1))];
    for refused in [store.record(&one).await.map(drop), store.probe().await] {
        let expected = "store.url must name the primary";
        assert!(matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains(expected)), "{refused:?}");
    }
    place.run("SET default_transaction_read_only = off").await;
    place.set("default_transaction_read_only = off").await;
    place.terminate("TRUE").await;
    // The connection that was cut shows once.
    drop(store.probe().await);
    assert_eq!(store.record(&one).await, Ok(vec![Recorded::New]));
}
