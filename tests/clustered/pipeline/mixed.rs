//! `finlinkd run`: the whole pipeline in one process, on every mix of engines with a server in it. Killed in the middle, it
//! has everything that it acknowledged, the connections converge, and the commands look at the same engines.

use std::sync::Arc;

use serde_json::Value;
use tests::binary::Setup;
use tests::finlink::{ConnectionStatus, FakeFinlink, World, as_listed};
use tests::looking::{array, bare, eventually};
use tests::sender::Sender;
use tests::signing::SigningKey;

use super::cluster::{APP, TOKENS};
use crate::{broker, database};

/// Webhooks that are acknowledged before the process is killed, at least.
const BEFORE_THE_KILL: usize = 60;
const FLOOD_CONNECTIONS: usize = 4;

/// Runs on these engines; `None` is the embedded one.
async fn keeps_and_converges(queue: Option<String>, store: Option<String>) {
    let finlink = FakeFinlink::start().await.unwrap();
    let app = finlink.world(World::add_app);
    let key = Arc::new(SigningKey::generate().unwrap());
    finlink.world(|world| world.publish_key(&key)).unwrap();
    let connections = TOKENS.map(ConnectionStatus::pending);
    let put = |one: &ConnectionStatus| finlink.world(|world| world.put(&app.client_id, one));
    connections.iter().for_each(put);

    let folder = tempfile::tempdir().unwrap();
    let mut setup = Setup::in_folder(folder.path())
        .with_app(APP, &app)
        .with("UPSTREAM__BASE_URL", &finlink.base_url())
        .with("INGRESS__GRACE", "0s")
        .brisk();
    for (name, address) in [("QUEUE__URL", queue), ("STORE__URL", store)] {
        if let Some(address) = address {
            setup.set(name, &address);
        }
    }

    let running = setup.run().await.unwrap();
    let address = running.address("listen").await.unwrap();
    let sender = Sender { address, app: APP.to_owned(), key: Arc::clone(&key) };
    let flood = sender.flood(&TOKENS, FLOOD_CONNECTIONS).unwrap();
    flood.accepts(BEFORE_THE_KILL).await.unwrap();
    // It changes while it is away: only its webhooks, or a look of ours, can tell.
    put(&connections[0].clone().synced());
    running.kill().await.unwrap();
    let receipts = flood.ended().await.unwrap().receipts;

    let running = setup.run().await.unwrap();
    let kept = eventually("every acknowledged webhook is listed", async || {
        let listed = array(setup.json(&["webhooks", "list", "--all", "--json"]).await.unwrap());
        let is_listed = |receipt: &&String| listed.iter().any(|webhook| webhook["receipt"] == **receipt);
        match receipts.iter().filter(|receipt| !is_listed(receipt)).count() {
            0 => Ok(()),
            lost => Err(format!("{lost} of {} are not\n{}", receipts.len(), running.last_lines())),
        }
    });
    kept.await;
    let truth: Vec<Value> = finlink
        .world(|world| world.connections(&app.client_id))
        .iter()
        .map(|connection| as_listed(APP, connection))
        .collect();
    let shown = eventually("the connections equal the truth", async || {
        let listed = array(setup.json(&["connections", "list", "--live", "--all", "--json"]).await.unwrap());
        let listed: Vec<_> = listed.iter().map(bare).collect();
        if listed == truth { Ok(()) } else { Err(format!("{listed:#?}\nis not\n{truth:#?}")) }
    });
    shown.await;
    running.stop().await.unwrap();
}

fn rabbitmq() -> String {
    tokio::task::block_in_place(broker::new_virtual_host)
}

fn postgres() -> String {
    tokio::task::block_in_place(|| database::shared().url(&database::new_database()))
}

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmq_with_the_embedded_store() {
    keeps_and_converges(Some(rabbitmq()), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_queue_with_postgres() {
    keeps_and_converges(None, Some(postgres())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmq_with_postgres_in_one_process() {
    keeps_and_converges(Some(rabbitmq()), Some(postgres())).await;
}
