//! Messages that no ingress wrote: dead letters, and nothing stops.

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use tests::cluster::{Cluster, TOKENS};

const LARGE_BYTES: usize = 10 * 1024 * 1024;

pub(crate) async fn publish(channel: &Channel, properties: BasicProperties, body: &[u8]) {
    let (exchange, key, options) = ("finlinkd.webhooks".into(), "main".into(), BasicPublishOptions::default());
    channel.basic_publish(exchange, key, options, body, properties).await.unwrap().await.unwrap();
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
    let letters = cluster.person().dead_letters(6).await;
    assert!(letters.iter().all(|letter| letter["reason"] == "foreign"), "{letters:#?}");

    let sent = cluster.sender(roles.get("ingress-1")).await.send(TOKENS[0]).await.unwrap();
    cluster.person().finds(&[sent]).await;
    roles.stop().await;
    cluster.person().books_are_right(1).await;
}
