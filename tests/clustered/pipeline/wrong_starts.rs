//! Wrong passwords, places, schemas and clients: one clear line, and no loop of crashes.

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use serde_json::Value;
use tests::binary::Finlinkd;
use tests::cluster::{Cluster, Queue, TOKENS};
use tests::finlink::{ConnectionStatus, Endpoint, World};
use tests::looking::{eventually, gauge, is_said_to_be};
use tests::roles::role_of;
use tests::sender::naming;

use crate::{broker, database};

/// Connections that each process keeps; each tells of its trouble once, although it tries again every second.
const BROKER_CONNECTIONS_MAX: usize = 2;

fn complaints(process: &Finlinkd) -> usize {
    process.count_logged(|record: &Value| record["message"] == "the broker cannot be used; trying on")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_refuses_the_login_or_the_virtual_host_is_named_and_waited_for() {
    let mut cluster = Cluster::shared().await;
    let right = broker::shared().url();
    let wrongs = [
        (right.replace("guest:guest", "guest:wrong"), "refused user or password"),
        (right.replace("/%2f", "/other"), "no such virtual host"),
    ];
    for (wrong, reason) in wrongs {
        cluster.queue = Queue::At(wrong);
        let roles = cluster.start_all(&["ingress-1", "consumer-1"]).await;
        for name in ["ingress-1", "consumer-1"] {
            let process = roles.get(name);
            let said = |record: &Value| record.to_string().contains(reason);
            let record = process.logged(reason, said).await.unwrap();
            assert!(!record.to_string().contains("guest:"), "no password is logged: {record}");
            let shown = eventually("readiness names the reason", async || {
                let health = process.admin("/readyz").await.unwrap().json().unwrap();
                let told = health["parts"]["queue"]["reason"].as_str().is_some_and(|why| why.contains(reason));
                if told && health["status"] == "degraded" { Ok(()) } else { Err(health.to_string()) }
            });
            shown.await;
            assert!(complaints(process) <= BROKER_CONNECTIONS_MAX, "{}", process.last_lines());
        }
        let answer = cluster.sender(roles.get("ingress-1")).await.post(&naming(TOKENS[0])).await.unwrap();
        assert_eq!(answer.status(), 200, "a broker's no is no fault of the sender's: {}", answer.text());
        roles.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_stay_up_unready_on_a_database_of_a_newer_schema_and_start_once_it_fits() {
    let cluster = Cluster::shared().await;
    cluster.start("consumer-1").await.stop().await.unwrap();
    let name = cluster.store.rsplit('/').next().unwrap();
    let query = |sql| tokio::task::block_in_place(|| database::shared().query(name, sql).unwrap());
    query(
        "INSERT INTO schema_migrations (version, name) VALUES (999, 'later');
         UPDATE meta SET value = 999 WHERE name = 'min_reader_version'",
    );
    let start = |name| cluster.setup(name).start_role(role_of(name)).unwrap();
    let waiting = ["consumer-1", "reconciler-1", "feed-1"].map(start);
    for process in &waiting {
        process.said("nothing is started until a person has acted").await.unwrap();
        let health = is_said_to_be(process, Some("store"), "unready").await;
        assert!(health.to_string().contains("run the newer program"), "{health}");
        assert_eq!(process.admin("/readyz").await.unwrap().status(), 503);
        assert_eq!(process.admin("/livez").await.unwrap().status(), 200);
    }
    let [consumer, others @ ..] = waiting;
    // One that is stopped meanwhile ends well.
    consumer.stop().await.unwrap();
    // That the database went away does not mean that it fits.
    let accept = |yes: bool| {
        let sql = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {yes}");
        tokio::task::block_in_place(|| database::shared().query("postgres", &sql).unwrap());
    };
    accept(false);
    for process in &others {
        let looked = eventually("it looked again", async || {
            let health = process.admin("/readyz").await.unwrap().text();
            let told = health.contains("run the newer program; just now: the store is unavailable");
            if told { Ok(()) } else { Err(health) }
        });
        looked.await;
    }
    accept(true);
    query("UPDATE meta SET value = 1 WHERE name = 'min_reader_version'");
    for process in others {
        process.said("finlinkd runs").await.unwrap();
        let told = |record: &Value| record.to_string().contains("run the newer program");
        assert_eq!(process.count_logged(told), 1, "{}", process.last_lines());
        process.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_stopped_while_it_migrates() {
    let cluster = Cluster::shared().await;
    let name = cluster.store.rsplit('/').next().unwrap();
    let query = |sql: &str| tokio::task::block_in_place(|| database::shared().query(name, sql).unwrap());
    query(
        "CREATE FUNCTION doze() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS
             $$ BEGIN PERFORM pg_sleep(3600); END $$;
         CREATE EVENT TRIGGER doze ON ddl_command_start EXECUTE FUNCTION doze()",
    );
    let consumer = cluster.setup("consumer-1").start_role("consumer").unwrap();
    let asleep = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    let dozes = eventually("it migrates", async || match query(&format!("SELECT count(*) {asleep}")).as_str() {
        "1" => Ok(()),
        found => Err(found.to_owned()),
    });
    dozes.await;
    consumer.stop().await.unwrap();
    query(&format!("SELECT pg_terminate_backend(pid) {asleep}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_refuses_the_password_is_named_and_waited_for() {
    let mut cluster = Cluster::shared().await;
    tokio::task::block_in_place(|| database::shared().create_user("locked_out", "right").unwrap());
    cluster.store = cluster.store.replace("finlinkd:demo_finlinkd@", "locked_out:wrong@");
    let roles = cluster.start_all(&["consumer-1", "reconciler-1", "feed-1"]).await;
    for name in ["consumer-1", "reconciler-1", "feed-1"] {
        let process = roles.get(name);
        process
            .logged("the refusal", |record| record.to_string().contains("password authentication failed"))
            .await
            .unwrap();
        is_said_to_be(process, Some("store"), "degraded").await;
    }
    roles.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_whose_client_id_changed_is_not_judged_by_the_new_clients_answers() {
    let mut cluster = Cluster::shared().await;
    cluster.put_all(&TOKENS.map(ConnectionStatus::ready));
    let reconciler = cluster.start("reconciler-1").await;
    cluster.converges().await;
    reconciler.stop().await.unwrap();
    let known = cluster.truth();

    let another = cluster.finlink.world(World::add_app);
    let before = std::mem::replace(&mut cluster.app, another);
    let logins = cluster.finlink.count(Endpoint::Login);
    let reconciler = cluster.start("reconciler-1").await;
    let told = reconciler.said("pinned to another client_id").await.unwrap();
    let message = told["message"].as_str().unwrap();
    let expected = format!("the store has {}, the settings say {}", before.client_id, cluster.app.client_id);
    assert!(message.contains(&expected), "{message}");
    cluster.person().sees(|| known.clone()).await;
    assert_eq!(cluster.finlink.count(Endpoint::Login), logins, "it asks nothing until a person has acted");
    reconciler.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_serves_its_api_while_the_broker_refuses_it() {
    let mut cluster = Cluster::shared().await;
    cluster.put_all(&TOKENS.map(ConnectionStatus::ready));
    cluster.queue = Queue::At(broker::shared().url_for("guest", "wrong"));
    let roles = cluster.start_all(&["reconciler-1", "feed-1"]).await;
    let feed = roles.get("feed-1");
    cluster.converges().await;
    feed.said("events cannot be relayed from here").await.unwrap();
    // At first it is only not there yet.
    let named = eventually("readiness names the refusal", async || {
        let health = is_said_to_be(feed, Some("relay"), "degraded").await.to_string();
        if health.contains("refused user or password") { Ok(()) } else { Err(health) }
    });
    named.await;
    assert_eq!(gauge(feed, "finlinkd_broker_connected").await, Some(0.0));
    let listed = feed.api("/v1/connections").await.unwrap().json().unwrap();
    assert_eq!(listed["connections"].as_array().map(Vec::len), Some(TOKENS.len()), "{listed}");
    roles.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_permission_is_told_what_it_may_not_and_keeps_what_it_cannot_send() {
    let cluster = Cluster::shared().await;
    // Each logs in as the other: an ingress may not declare or read, a consumer may not publish.
    let wrong = |name: &str, user: &str| cluster.setup(name).with("QUEUE__URL", &cluster.queue.address_of(user));
    let consumer = wrong("consumer-1", "ingress").run_role("consumer").await.unwrap();
    let ingress = wrong("ingress-1", "feed").run_role("ingress").await.unwrap();
    for part in ["queue", "dead_letters"] {
        let named = eventually("readiness names the refusal", async || {
            let health = consumer.admin("/readyz").await.unwrap().json().unwrap();
            let part = &health["parts"][part];
            if part["status"] == "degraded" && part.to_string().contains("refused for user") {
                Ok(())
            } else {
                Err(health.to_string())
            }
        });
        named.await;
    }
    let kept = cluster.sender(&ingress).await.send(TOKENS[0]).await.unwrap();
    for process in [&consumer, &ingress] {
        assert!(complaints(process) <= BROKER_CONNECTIONS_MAX, "{}", process.last_lines());
    }
    ingress.stop().await.unwrap();
    consumer.stop().await.unwrap();

    // With the right ones nothing was lost.
    let roles = cluster.start_all(&["ingress-1", "consumer-1"]).await;
    cluster.person().finds(&[kept]).await;
    for part in ["queue", "dead_letters"] {
        is_said_to_be(roles.get("consumer-1"), Some(part), "ready").await;
    }
    roles.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_with_other_arguments_is_named_and_nothing_is_taken_from_it() {
    let mut cluster = Cluster::shared().await;
    let address = tokio::task::block_in_place(broker::new_virtual_host);
    let connection = Connection::connect(&address, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare("finlinkd.webhooks".into(), durable, FieldTable::default()).await.unwrap();
    cluster.queue = Queue::At(address);
    let consumer = cluster.start("consumer-1").await;
    let said = is_said_to_be(&consumer, Some("queue"), "degraded").await;
    let told = consumer.logged("the queue", |record| record.to_string().contains("exists with other properties")).await;
    assert!(complaints(&consumer) <= BROKER_CONNECTIONS_MAX, "{said:#}\n{told:?}");
    told.unwrap();
    consumer.stop().await.unwrap();
}
