//! Too much of everything: memory stays bounded, and a normal sender is still served.

use std::time::Duration;

use tests::customer::APP;
use tests::finlink::ConnectionStatus;
use tests::http::Wire;
use tests::scene::Scene;
use tests::sender::{Sender, naming};
use tests::usage::resident_bytes;

/// What the process may take, built without optimisation.
const RESIDENT_BYTES_MAX: u64 = 150 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_webhooks_wait_for_a_dead_finlink_in_bounded_memory() {
    const WEBHOOKS: usize = 20_000;
    let scene = Scene::brisk().await;
    let tokens: Vec<String> = (0..50).map(|number| format!("CONNECT{number:03}")).collect();
    for token in &tokens {
        scene.put(&ConnectionStatus::ready(token));
    }
    let running = scene.setup.run().await.unwrap();
    scene.converges(&running).await;
    let sender = scene.sender(&running).await;
    scene.introduces(&sender, &running).await;
    scene.finlink.world(|world| world.set_down(true));
    for token in &tokens {
        scene.put(&ConnectionStatus::ready(token).failed(true));
    }
    let names: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let flood = sender.flood(&names, 32).unwrap();
    flood.accepts(WEBHOOKS).await.unwrap();
    let heard = flood.stop().await.unwrap();
    assert!(heard.broken.is_empty() && heard.refused.is_empty(), "{:?} {:?}", heard.broken, heard.refused);
    scene.person().finds(&heard.receipts).await;
    let resident = resident_bytes(running.id()).unwrap();
    assert!(resident <= RESIDENT_BYTES_MAX, "{} MiB", resident >> 20);
    scene.finlink.world(|world| world.set_down(false));
    scene.converges(&running).await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_slow_senders_stop_nobody() {
    const SLOW: usize = 2_000;
    let mut scene = Scene::brisk().await;
    // They are slow for longer than this test takes.
    scene.setup.set("INGRESS__BODY_TIMEOUT", "10m");
    scene.setup.set("HTTP__HEAD_TIMEOUT", "10m");
    scene.setup.set("HTTP__SHUTDOWN_TIMEOUT", "1s");
    let running = scene.setup.run().await.unwrap();
    let sender = scene.sender(&running).await;
    let slow = slow_senders(&sender, SLOW).await;
    let kept = sender.send("AAAAAAAAAA").await.unwrap();
    scene.person().finds(&[kept]).await;
    let resident = resident_bytes(running.id()).unwrap();
    assert!(resident <= RESIDENT_BYTES_MAX, "{} MiB", resident >> 20);
    assert_eq!(running.admin("/readyz").await.unwrap().status(), 200);
    drop(slow);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_is_too_slow_is_given_up_by_itself() {
    let mut scene = Scene::brisk().await;
    scene.setup.set("INGRESS__BODY_TIMEOUT", "500ms");
    scene.setup.set("HTTP__HEAD_TIMEOUT", "1s");
    let running = scene.setup.run().await.unwrap();
    let sender = scene.sender(&running).await;
    for mut slow in slow_senders(&sender, 100).await {
        let answer = slow.receive_within(Duration::from_secs(30)).await;
        assert!(answer.is_err() || answer.is_ok_and(|answer| answer.is_none_or(|answer| answer.status() == 408)));
    }
    sender.send("AAAAAAAAAA").await.unwrap();
    running.stop().await.unwrap();
}

/// Senders that stop half-way: a third in the head, a third before the body, a third in it.
async fn slow_senders(sender: &Sender, count: usize) -> Vec<Wire> {
    let whole = sender.request(&naming("AAAAAAAAAA")).unwrap();
    let body = whole.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let mut slow = Vec::with_capacity(count);
    for number in 0..count {
        let mut wire = Wire::open(sender.address).await.unwrap();
        let sent = [format!("POST /webhooks/{APP} HTT").len(), body, body + 5][number % 3];
        wire.send(&whole[..sent]).await.unwrap();
        slow.push(wire);
    }
    slow
}
