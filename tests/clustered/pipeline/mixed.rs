//! `finlinkd run`: the whole pipeline in one process, on every mix of engines with a server in it. Killed in the middle, it
//! has everything that it acknowledged, the connections converge, and the commands look at the same engines.

use tests::cluster::TOKENS;
use tests::finlink::ConnectionStatus;
use tests::scene::Scene;

use crate::{broker, database};

/// Webhooks that are acknowledged before the process is killed, at least.
const BEFORE_THE_KILL: usize = 60;
const FLOOD_CONNECTIONS: usize = 4;

/// Runs with these engines; what is not set is embedded.
async fn keeps_and_converges(engines: &[(&str, String)]) {
    let mut scene = Scene::brisk().await;
    for (name, address) in engines {
        scene.setup.set(name, address);
    }
    let connections = TOKENS.map(ConnectionStatus::pending);
    scene.put_all(&connections);
    let running = scene.setup.run().await.unwrap();
    let flood = scene.sender(&running).await.flood(&TOKENS, FLOOD_CONNECTIONS).unwrap();
    flood.accepts(BEFORE_THE_KILL).await.unwrap();
    // It changes while it is away: only its webhooks, or a look of ours, can tell.
    scene.put(&connections[0].clone().synced());
    running.kill().await.unwrap();
    let receipts = flood.ended().await.unwrap().receipts;

    let running = scene.setup.run().await.unwrap();
    scene.person().finds(&receipts).await;
    scene.converges(&running).await;
    running.stop().await.unwrap();
}

fn rabbitmq() -> (&'static str, String) {
    ("QUEUE__URL", tokio::task::block_in_place(broker::new_virtual_host))
}

fn postgres() -> (&'static str, String) {
    ("STORE__URL", tokio::task::block_in_place(|| database::shared().url(&database::new_database())))
}

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmq_with_the_embedded_store() {
    keeps_and_converges(&[rabbitmq()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_queue_with_postgres() {
    keeps_and_converges(&[postgres()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmq_with_postgres_in_one_process() {
    keeps_and_converges(&[rabbitmq(), postgres()]).await;
}
