//! SIGTERM under load: unready but accepting for the grace, then nothing is cut, nothing is lost, exit code 0.

use tests::finlink::ConnectionStatus;
use tests::http::Wire;
use tests::looking::{counter, eventually};
use tests::scene::Scene;
use tests::sender::{naming, receipt};

const TOKENS: [&str; 3] = ["AAAAAAAAAA", "BBBBBBBBBB", "CCCCCCCCCC"];

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_cuts_no_request_and_loses_nothing() {
    let scene = Scene::brisk().await;
    scene.put_all(&TOKENS.map(ConnectionStatus::ready));
    let setup = scene.setup.clone().with("INGRESS__GRACE", "2s");
    let running = setup.run().await.unwrap();
    let flood = scene.sender(&running).await.flood(&TOKENS, 8).unwrap();
    flood.accepts(50).await.unwrap();

    running.terminate().unwrap();
    running.said("still accepting for the grace").await.unwrap();
    let health = running.admin("/readyz").await.unwrap();
    assert_eq!(health.status(), 503, "balancers must see it during the grace: {}", health.text());
    let live = running.admin("/livez").await.unwrap();
    assert_eq!(live.status(), 200, "it is alive while it stops");
    flood.accepts(flood.accepted() + 50).await.unwrap();

    let heard = flood.ended().await.unwrap();
    assert_eq!(heard.broken, Vec::<String>::new(), "a request that was sent whole has its answer");
    assert_eq!(heard.unreachable, 8, "every sender ended at a closed door: {heard:?}");
    assert!(heard.refused.keys().all(|status| *status == 503), "{:?}", heard.refused);
    let status = running.ended().await.unwrap();
    assert_eq!(status.code(), Some(0));

    let kept = scene.person().webhooks().await;
    let lost: Vec<&String> = heard.receipts.iter().filter(|receipt| !kept.contains_key(*receipt)).collect();
    assert!(lost.is_empty(), "recorded before the end, not after the next start: {lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_half_way_when_the_listener_closes_may_come_to_its_end() {
    let scene = Scene::brisk().await;
    let running = scene.setup.run().await.unwrap();
    let sender = scene.sender(&running).await;
    let request = sender.request(&naming("AAAAAAAAAA")).unwrap();
    let mut wire = Wire::open(sender.address).await.unwrap();
    let (head, rest) = request.split_at(request.len() - 10);
    wire.send(head).await.unwrap();
    let in_flight = eventually("the request is being read", async || {
        let count = counter(&running, "finlinkd_ingress_in_flight").await;
        if count >= 1 { Ok(()) } else { Err(format!("{count} in flight")) }
    });
    in_flight.await;

    running.terminate().unwrap();
    let closed = eventually("the listener is closed", async || match Wire::open(sender.address).await {
        Ok(_) => Err("it accepts".to_owned()),
        Err(_) => Ok(()),
    });
    closed.await;
    wire.send(rest).await.unwrap();
    let answer = wire.receive().await.unwrap().unwrap();
    let kept = receipt(&answer).unwrap();
    assert!(answer.closes(), "the sender is told to come to somebody else next time: {answer:?}");
    assert_eq!(running.ended().await.unwrap().code(), Some(0));
    assert!(scene.person().webhooks().await.contains_key(&kept));
}
