//! A webhook that no consumer ever comes to an end with: the broker sets it aside, it becomes a dead letter, a person sends it
//! on its way again, and the books know of it all the time.

use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, BasicQosOptions, BasicRejectOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use queue::rabbitmq::{DELIVERY_LIMIT, WEBHOOKS};
use serde_json::{Value, json};
use tests::cluster::{Cluster, TOKENS};
use tests::looking::{array, eventually};
use tests::sender::naming;

/// Takes the messages one by one and fails with this one as often as the broker lets it; the others stay.
async fn fails_with(receipt: &str, address: &str) {
    let connection = Connection::connect(address, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.basic_qos(100, BasicQosOptions::default()).await.unwrap();
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut consumer = channel.basic_consume(WEBHOOKS.into(), "failing".into(), options, arguments).await.unwrap();
    let mut failed = 0;
    // One delivery more than attempts that are counted.
    while failed <= DELIVERY_LIMIT {
        let delivery = consumer.next().await.unwrap().unwrap();
        if delivery.properties.message_id().as_ref().is_some_and(|id| id.as_str() == receipt) {
            failed += 1;
            delivery.acker.reject(BasicRejectOptions { requeue: true }).await.unwrap();
        }
    }
    connection.close(200, "done".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_delivered_too_often_becomes_a_dead_letter_and_is_recorded_once_redriven() {
    let cluster = Cluster::shared().await;
    let mut roles = cluster.start_all(&["reconciler-1", "ingress-1"]).await;
    let sender = cluster.sender(roles.get("ingress-1")).await;
    let poison = sender.send(TOKENS[0]).await.unwrap();
    fails_with(&poison, &cluster.queue.address_of("consumer")).await;
    let good = sender.send(TOKENS[1]).await.unwrap();

    roles.put("consumer-1", cluster.start("consumer-1").await);
    let letters = cluster.person().dead_letters(1).await;
    let letter = &letters[0];
    assert_eq!(
        (&letter["receipt"], &letter["app"], &letter["reason"]),
        (&json!(poison), &json!("main"), &json!("attempts"))
    );
    assert!(letter["detail"].as_str().unwrap().contains("the broker set it aside"), "{letter}");
    assert_eq!(letter["body_bytes"], naming(TOKENS[0]).len(), "{letter}");
    cluster.person().finds(std::slice::from_ref(&good)).await;
    let recorded: Vec<String> = cluster.person().webhooks().await.into_keys().collect();
    assert_eq!(recorded, std::slice::from_ref(&good));
    // It counts as stored.
    let sound = eventually("the books have no hole", async || {
        let output = cluster.setup("person").output(&["ledger", "verify", "--json"]).await.unwrap();
        let lines = array(serde_json::from_slice::<Value>(&output.stdout).unwrap());
        let both = json!([{"from": 1, "through": 2}]);
        let sound = output.status.code() == Some(0) && lines.iter().any(|line| line["stored"] == both);
        if sound { Ok(()) } else { Err(format!("{lines:#?}")) }
    });
    sound.await;

    let told = cluster.ask(&["dead-letters", "redrive", "--all", "--yes", "--json"]).await;
    assert_eq!((&told["done"], &told["letters"]), (&json!(true), &json!(1)), "{told}");
    cluster.person().finds(&[poison, good]).await;
    cluster.person().dead_letters(0).await;
    roles.stop().await;
    cluster.person().books_are_right(1).await;
}
