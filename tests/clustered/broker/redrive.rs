//! Dead letters redriven by the binary, with what an operator may do on the broker, beside a consumer that is there.

use consumer::envelope::letter;
use events::UtcMicros;
use queue::{Content, Message};
use store::{DeadLetterFilter, DeadLetterReason, Inspect, Intake, Rules};
use tests::binary::Setup;
use uuid::Uuid;

use super::{engine, new_virtual_host, next, receipts, shared, until_ready, webhook};
use crate::database;

/// A user as `deploy/rabbitmq/definitions.json` has it; returns its address.
fn operator(url: &str) -> String {
    let name = format!("operator-{}", Uuid::new_v4().simple());
    let virtual_host = url.rsplit('/').next().and_then(|rest| rest.split('?').next()).unwrap();
    shared().control(&["add_user", &name, "secret"]).unwrap();
    let may = ["^$", r"^finlinkd\.webhooks$", r"^finlinkd\.dead-letters$"];
    shared().control(&[&["set_permissions", "--vhost", virtual_host, &name][..], &may].concat()).unwrap();
    let (scheme, rest) = url.split_once("://").unwrap();
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    format!("{scheme}://{name}:secret@{place}")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_redrives_beside_a_running_consumer() {
    let url = new_virtual_host();
    let (publisher, _ended) = engine(&url).publisher();
    let (mut subscription, _state) = engine(&url).subscribe();
    until_ready(&publisher).await;
    let database = database::shared().url(&database::new_database());
    let store = database::store_with(&database, Rules::default());
    let webhooks: Vec<_> = (1..=3).map(|sequence| webhook("demo", sequence)).collect();
    for webhook in &webhooks {
        let content = Content::Message(Message::Webhook(webhook.clone()));
        store.bury(&[letter(&content, DeadLetterReason::Attempts, "too often", UtcMicros::now())]).await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let command = Setup::in_folder(folder.path()).with("QUEUE__URL", &operator(&url)).with("STORE__URL", &database);

    let told = command.json(&["dead-letters", "redrive", "--all", "--json"]).await.unwrap();
    assert_eq!((&told["done"], &told["letters"]), (&false.into(), &3.into()), "{told}");
    let done = command.json(&["dead-letters", "redrive", "--all", "--yes", "--json"]).await.unwrap();
    assert_eq!((&done["done"], &done["letters"]), (&true.into(), &3.into()), "{done}");

    let mut taken = Vec::new();
    while taken.len() < webhooks.len() {
        let batch = next(&mut subscription).await;
        taken.extend(receipts(&batch));
        batch.ack().await.unwrap();
    }
    assert_eq!(taken, webhooks.iter().map(|webhook| webhook.receipt).collect::<Vec<_>>());
    assert_eq!(store.dead_letters(&DeadLetterFilter::default()).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_stay_where_the_broker_is_away() {
    let database = database::shared().url(&database::new_database());
    let store = database::store_with(&database, Rules::default());
    let content = Content::Message(Message::Webhook(webhook("demo", 1)));
    store.bury(&[letter(&content, DeadLetterReason::Attempts, "too often", UtcMicros::now())]).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let command = Setup::in_folder(folder.path())
        .with("QUEUE__URL", "amqp://guest:guest@127.0.0.1:1")
        .with("RABBITMQ__CONNECT_TIMEOUT", "1s")
        .with("STORE__URL", &database);

    let output = command.output(&["dead-letters", "redrive", "--all", "--yes"]).await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("the queue cannot be used, so nothing was changed"), "{told}");
    assert_eq!(store.dead_letters(&DeadLetterFilter::default()).await.unwrap().len(), 1);
    assert!(!folder.path().join("spool").exists());
}
