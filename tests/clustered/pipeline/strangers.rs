//! Messages that no ingress wrote, and one that the database never takes: dead letters, and nothing stops.

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use serde_json::Value;
use tests::looking::{array, eventually};
use tests::sender::receipt;

use super::cluster::{Cluster, TOKENS};
use crate::database;

/// A webhook of this body is not taken.
const POISON: &str = "poison";
const LARGE_BYTES: usize = 10 * 1024 * 1024;

pub(crate) async fn publish(channel: &Channel, properties: BasicProperties, body: &[u8]) {
    let (exchange, key, options) = ("finlinkd.webhooks".into(), "main".into(), BasicPublishOptions::default());
    channel.basic_publish(exchange, key, options, body, properties).await.unwrap().await.unwrap();
}

pub(crate) async fn dead_letters(cluster: &Cluster, count: usize) -> Vec<Value> {
    let buried = eventually("the dead letters are there", async || {
        let letters = array(cluster.ask(&["dead-letters", "list", "--all", "--json"]).await);
        if letters.len() == count { Ok(letters) } else { Err(format!("{letters:#?}")) }
    });
    buried.await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_ingress_wrote_becomes_a_dead_letter_and_stops_nothing() {
    let cluster = Cluster::shared().await;
    let roles = cluster.start_all(&["consumer-1", "reconciler-1", "ingress-1"]).await;
    roles.get("consumer-1").said("consuming").await.unwrap();
    let connection =
        Connection::connect(&cluster.queue.address_of("ingress"), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();

    let webhook = || BasicProperties::default().with_type("finlinkd.webhook.v1".into());
    publish(&channel, BasicProperties::default(), b"no type and no headers").await;
    publish(&channel, webhook(), b"no headers").await;
    publish(&channel, BasicProperties::default().with_type("finlinkd.webhook.v9".into()), b"{}").await;
    publish(&channel, BasicProperties::default().with_type("finlinkd.checkpoint.v1".into()), b"no JSON").await;
    let mut wrong = FieldTable::default();
    wrong.insert("app".into(), AMQPValue::Boolean(true));
    wrong.insert("sequence".into(), AMQPValue::LongLongInt(-1));
    publish(&channel, webhook().with_headers(wrong).with_message_id("no uuid".into()), b"{}").await;
    publish(&channel, BasicProperties::default(), &vec![0; LARGE_BYTES]).await;
    let letters = dead_letters(&cluster, 6).await;
    assert!(letters.iter().all(|letter| letter["reason"] == "foreign"), "{letters:#?}");

    let sent = cluster.sender(roles.get("ingress-1")).await.send(TOKENS[0]).await.unwrap();
    cluster.keeps(&[sent]).await;
    roles.stop().await;
    cluster.books_are_right(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_message_among_others_is_buried_alone() {
    let cluster = Cluster::shared().await;
    let roles = cluster.start_all(&["consumer-1", "ingress-1"]).await;
    let name = cluster.store.rsplit('/').next().unwrap();
    let trigger = format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN IF NEW.bytes = ''{POISON}'' THEN RAISE ''no'' USING ERRCODE = ''23514''; END IF; RETURN NEW; END';
         CREATE TRIGGER refuse BEFORE INSERT ON bodies FOR EACH ROW EXECUTE FUNCTION refuse()"
    );
    tokio::task::block_in_place(|| database::shared().query(name, &trigger).unwrap());

    let ingress = roles.get("ingress-1");
    let flood = cluster.flood(ingress).await;
    flood.accepts(20).await.unwrap();
    let poison = receipt(&cluster.sender(ingress).await.post(POISON.as_bytes()).await.unwrap()).unwrap();
    flood.accepts(flood.accepted() + 20).await.unwrap();
    let heard = flood.stop().await.unwrap();
    cluster.keeps(&heard.receipts).await;
    let letters = dead_letters(&cluster, 1).await;
    assert_eq!(letters[0]["receipt"], Value::from(poison), "{letters:#?}");
    assert_eq!(letters[0]["reason"], "culprit", "{letters:#?}");
    roles.stop().await;
    // What was buried counts as stored.
    cluster.books_are_right(1).await;
}
