//! Keys that are not known yet: their webhooks wait without effect, are decided by Finlink's word, and cannot be used to make
//! us a nuisance to Finlink or to its other webhooks.

use std::sync::Arc;
use std::time::Duration;

use tests::customer::APP;
use tests::finlink::{ConnectionStatus, Endpoint, Fault};
use tests::looking::eventually;
use tests::scene::{Scene, outcomes};
use tests::sender::{Sender, naming, receipt};
use tests::signing::{SigningKey, claims_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_finlink_denies_again_and_again_rejects_its_webhooks() {
    let scene = Scene::brisk().await;
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA"));
    let running = scene.setup.run().await.unwrap();
    scene.converges(&running).await;
    let stranger = scene.stranger(&running).await;
    let forged = stranger.send("INVENTEDAA").await.unwrap();
    scene.person().finds_verified(&forged, "rejected").await;
    let denied = scene.finlink.asked();
    let denied = denied.iter().filter(|asked| asked.endpoint == Endpoint::Key && asked.status == 404).count();
    assert!(denied >= 3, "one denial is not enough: {denied}");
    assert!(scene.finlink.asked().iter().all(|asked| asked.subject != "INVENTEDAA"), "a forged webhook had an effect");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_to_ask_for_a_key_reject_nothing() {
    let scene = Scene::brisk().await;
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA"));
    let running = scene.setup.run().await.unwrap();
    scene.converges(&running).await;
    scene.finlink.world(|world| world.set_fault(Endpoint::Key, Some(Fault::Status(500))));
    let stranger = scene.stranger(&running).await;
    let webhook = stranger.send("AAAAAAAAAA").await.unwrap();
    // More often, and for longer, than denials would need.
    scene.finlink.wait_for_more(Endpoint::Key, 8).await.unwrap();
    scene.person().finds_verified(&webhook, "pending").await;
    scene.finlink.world(|world| {
        world.publish_key(&stranger.key).unwrap();
        world.set_fault(Endpoint::Key, None);
    });
    scene.person().finds_verified(&webhook, "verified").await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_webhook_that_only_claims_a_key_is_rejected_by_it() {
    let scene = Scene::brisk().await;
    scene.finlink.world(|world| world.set_fault(Endpoint::Key, Some(Fault::Status(503))));
    let running = scene.setup.run().await.unwrap();
    let true_key = scene.stranger(&running).await;
    let impostor = Sender { key: Arc::new(true_key.key.impostor().unwrap()), ..true_key.clone() };
    let forged = impostor.send("AAAAAAAAAA").await.unwrap();
    let genuine = true_key.send("BBBBBBBBBB").await.unwrap();
    let tampered = true_key.post_with(&claims_of(b"{}"), &naming("CCCCCCCCCC")).await.unwrap();
    let tampered = receipt(&tampered).unwrap();
    scene.person().finds(&[forged.clone(), genuine.clone(), tampered.clone()]).await;
    scene.finlink.world(|world| {
        world.publish_key(&true_key.key).unwrap();
        world.set_fault(Endpoint::Key, None);
    });
    scene.person().finds_verified(&genuine, "verified").await;
    scene.person().finds_verified(&forged, "rejected").await;
    scene.person().finds_verified(&tampered, "rejected").await;
    let subjects: Vec<String> = scene.finlink.asked().into_iter().map(|asked| asked.subject).collect();
    assert!(!subjects.iter().any(|subject| ["AAAAAAAAAA", "CCCCCCCCCC"].contains(&subject.as_str())), "{subjects:?}");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn invented_keys_do_not_keep_out_a_key_that_finlink_changes_to() {
    /// Invented keys come every so often, each with a webhook of its own.
    const INVENTED_EVERY: Duration = Duration::from_millis(100);
    /// While the key is asked for that stands in line longest, and for one that was invented meanwhile, ...
    const QUESTIONS_MAX: usize = 4;
    let scene = Scene::plain().await;
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA"));
    let running = scene.setup.run().await.unwrap();
    scene.converges(&running).await;
    scene.introduces(&scene.sender(&running).await, &running).await;
    let attacker = scene.sender(&running).await;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let attack = tokio::spawn(async move {
        let invent = async {
            let mut every = tokio::time::interval(INVENTED_EVERY);
            loop {
                every.tick().await;
                let key = Arc::new(SigningKey::generate().unwrap());
                Sender { key, ..attacker.clone() }.send("INVENTEDAA").await.unwrap();
            }
        };
        tokio::select! {
            () = invent => {}
            _ = stopped => {}
        }
    });
    eventually("there are more invented keys than are asked for in a while", async || {
        let invented = outcomes(&running, APP, "pending").await;
        if invented >= 60 { Ok(()) } else { Err(format!("{invented}")) }
    })
    .await;

    let changed = scene.stranger(&running).await;
    let asked = async || {
        let asked = scene.finlink.asked().into_iter().filter(|asked| asked.endpoint == Endpoint::Key);
        asked.map(|asked| asked.subject).collect::<Vec<_>>()
    };
    let before = asked().await.len();
    scene.finlink.world(|world| world.publish_key(&changed.key)).unwrap();
    let mut genuine = Vec::new();
    for _ in 0..20 {
        genuine.push(changed.send("AAAAAAAAAA").await.unwrap());
    }
    for receipt in &genuine {
        scene.person().finds_verified(receipt, "verified").await;
    }
    let kid = changed.key.kid.to_string();
    let asked = asked().await;
    let turn = asked.iter().skip(before).position(|subject| *subject == kid).unwrap();
    assert!(turn < QUESTIONS_MAX, "{turn} others were asked for first");
    assert_eq!(asked.iter().filter(|subject| **subject == kid).count(), 1);
    stop.send(()).unwrap();
    attack.await.unwrap();
    assert_eq!(outcomes(&running, APP, "unknown_keys").await + outcomes(&running, APP, "pending_rate").await, 0);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_invented_keys_is_bounded_and_storms_nobody() {
    const APART: Duration = Duration::from_millis(300);
    let mut scene = Scene::plain().await;
    scene.setup.set("UPSTREAM__KEY_QUESTIONS_APART", "300ms");
    scene.setup.set("INGRESS__UNKNOWN_KEYS_BURST", "64");
    scene.setup.set("INGRESS__UNKNOWN_KEYS_PER_SECOND", "0");
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA"));
    let running = scene.setup.run().await.unwrap();
    scene.converges(&running).await;
    let known = scene.sender(&running).await;
    scene.introduces(&known, &running).await;
    let (mut pending, mut refused) = (0, 0);
    for number in 0..200 {
        let stranger = scene.stranger(&running).await;
        let answer = stranger.post(&naming(&format!("INVENT{number:04}"))).await.unwrap();
        match answer.status() {
            200 => pending += 1,
            429 => {
                assert!(answer.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
                refused += 1;
            }
            other => panic!("{other}: {}", answer.text()),
        }
    }
    assert_eq!((pending, refused), (64, 136));
    assert_eq!(outcomes(&running, APP, "unknown_keys").await, refused);
    known.send("AAAAAAAAAA").await.unwrap();

    scene.finlink.wait_for_more(Endpoint::Key, 6).await.unwrap();
    let asked = scene.finlink.asked();
    let at: Vec<_> = asked.iter().filter(|asked| asked.endpoint == Endpoint::Key).map(|asked| asked.at).collect();
    // The clocks of two processes and a busy machine: the gap as it is sent is not quite the gap as it arrives.
    let early = at.windows(2).filter(|pair| pair[1] - pair[0] < APART / 2).count();
    assert_eq!(early, 0, "questions for keys follow each other too fast: {at:?}");
    assert_eq!(scene.finlink.count(Endpoint::Login), 1);
    assert!(asked.iter().all(|asked| !asked.subject.starts_with("INVENT")), "a forged webhook had an effect");
    running.stop().await.unwrap();
}
