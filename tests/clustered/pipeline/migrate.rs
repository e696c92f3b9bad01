//! `finlinkd migrate` on a database, and roles that leave it to that.

use tests::binary::Setup;
use tests::cluster::Cluster;
use tests::looking::is_said_to_be;
use tests::servers::free_port;

use crate::database;

/// What it prints where the answer is no, and where it is yes; it must be one of the two.
async fn migrate(setup: &Setup) -> Result<String, String> {
    let output = setup.output(&["migrate"]).await.unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    match output.status.code() {
        Some(0) => Ok(out),
        Some(1) if out.is_empty() => Err(err),
        _ => panic!("{}: {out}{err}", output.status),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_only_checks_starts_once_migrate_has_made_the_schema() {
    let cluster = Cluster::shared().await;
    let name = cluster.store.rsplit('/').next().unwrap();
    let consumer = cluster.setup("consumer-1").with("STORE__MIGRATE", "check").start_role("consumer").unwrap();
    let health = is_said_to_be(&consumer, Some("store"), "unready").await;
    assert!(health.to_string().contains("run `finlinkd migrate`"), "{health}");

    let person = cluster.setup("person").with("STORE__MIGRATE", "check");
    let done = migrate(&person).await.unwrap();
    assert!(done.starts_with(&format!("Up to date: the database {name} on 127.0.0.1:")), "{done}");
    assert_eq!(migrate(&person).await.as_ref(), Ok(&done), "a second time there is nothing to do");

    consumer.said("finlinkd runs").await.unwrap();
    consumer.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_says_what_is_wrong_with_a_server_that_is_away_or_refuses_it() {
    let cluster = Cluster::shared().await;
    tokio::task::block_in_place(|| database::shared().create_user("migrates", "right").unwrap());
    let (port, nobody) = (database::shared().port().to_string(), free_port().unwrap().to_string());
    let wrongs = [
        (cluster.store.replace(&port, &nobody), format!("no connection to 127.0.0.1:{nobody}, which store.url names")),
        (
            cluster.store.replace("finlinkd:demo_finlinkd@", "migrates:wrong@"),
            "refused the user migrates or its password: check store.url".to_owned(),
        ),
    ];
    for (address, reason) in wrongs {
        let told = migrate(&cluster.setup("person").with("STORE__URL", &address)).await.unwrap_err();
        assert!(told.contains(&reason) && !told.contains("wrong@"), "{told}");
    }
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    let name = cluster.store.rsplit('/').next().unwrap();
    let made = tokio::task::block_in_place(|| database::shared().query(name, tables).unwrap());
    assert_eq!(made, "0");
}
