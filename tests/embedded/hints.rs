//! What a webhook is for: its connection is read long before the schedule would have it.

use tests::finlink::{ConnectionStatus, Endpoint};
use tests::scene::Scene;
use tests::sender::{naming, receipt};

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_alone_brings_a_connection_up_to_date_long_before_its_schedule() {
    let scene = Scene::plain().await;
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA"));
    let setup = scene.setup.clone().with("SCHEDULE__HINTED_READS_APART", "100ms");
    let running = setup.run().await.unwrap();
    scene.converges(&running).await;
    let lists = scene.finlink.count(Endpoint::List);
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA").failed(false));
    let sender = scene.sender(&running).await;
    receipt(&sender.post(&naming("AAAAAAAAAA")).await.unwrap()).unwrap();
    scene.converges(&running).await;
    assert_eq!(scene.finlink.count(Endpoint::List), lists, "one connection is no reason for a list");
    running.stop().await.unwrap();
}
