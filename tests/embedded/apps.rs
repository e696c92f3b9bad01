//! Several apps in one process: each has its own secret, session, connections and books.

use std::sync::Arc;

use serde_json::json;
use tests::customer::APP;
use tests::finlink::{ConnectionStatus, Endpoint, as_listed};
use tests::looking::{array, bare, eventually};
use tests::scene::Scene;
use tests::sender::Sender;

#[tokio::test(flavor = "multi_thread")]
async fn two_apps_with_two_secrets_live_side_by_side() {
    let mut scene = Scene::brisk().await;
    let other = scene.finlink.world(tests::finlink::World::add_app);
    scene.setup = scene.setup.with_app("other", &other);
    // The same token in both, in different states.
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA"));
    scene.finlink.world(|world| world.put(&other.client_id, &ConnectionStatus::ready("AAAAAAAAAA").failed(false)));
    let running = scene.setup.run().await.unwrap();
    let sender = scene.sender(&running).await;
    let to_other = Sender { app: "other".to_owned(), key: Arc::clone(&scene.key), ..sender.clone() };
    scene.finlink.world(|world| world.put(&other.client_id, &ConnectionStatus::pending("BBBBBBBBBB")));
    let kept = [sender.send("AAAAAAAAAA").await.unwrap(), to_other.send("BBBBBBBBBB").await.unwrap()];
    scene.person().finds(&kept).await;

    let truth = || {
        let others = scene.finlink.world(|world| world.connections(&other.client_id));
        [scene.truth(), others.iter().map(|connection| as_listed("other", connection)).collect()].concat()
    };
    eventually("both apps equal the truth", async || {
        let listed: Vec<_> = scene.person().connections().await.iter().map(bare).collect();
        if listed == truth() { Ok(()) } else { Err(format!("{listed:#?}")) }
    })
    .await;
    let logins: Vec<_> = scene.finlink.asked().into_iter().filter(|asked| asked.endpoint == Endpoint::Login).collect();
    assert_eq!(logins.len(), 2, "{logins:?}");
    assert_ne!(logins[0].client_id, logins[1].client_id);
    let of_other = scene.setup.json(&["webhooks", "list", "--app", "other", "--json"]).await.unwrap();
    let of_other = array(of_other);
    assert_eq!(of_other.len(), 1);
    assert_eq!(of_other[0]["receipt"], json!(kept[1]));
    let ambiguous = scene.setup.output(&["connections", "explain", "AAAAAAAAAA"]).await.unwrap();
    assert!(!ambiguous.status.success(), "a token of two apps needs the app's name");
    let told = String::from_utf8(ambiguous.stderr).unwrap();
    assert!(told.contains(APP) && told.contains("other"), "{told}");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_whose_client_id_changed_is_not_mixed_with_the_one_before() {
    let mut scene = Scene::brisk().await;
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA"));
    let running = scene.setup.run().await.unwrap();
    scene.converges(&running).await;
    running.stop().await.unwrap();
    let before = scene.person().connections().await;

    let another = scene.finlink.world(tests::finlink::World::add_app);
    scene.setup = scene.setup.with_app(APP, &another);
    let running = scene.setup.run().await.unwrap();
    let told = running.said("pinned to another client_id").await.unwrap();
    assert_eq!(told["level"], "ERROR", "{told}");
    assert_eq!(told["app"], APP, "{told}");
    let message = told["message"].as_str().unwrap();
    let named = |client_id: &str| message.contains(client_id);
    assert!(named(&scene.app.client_id) && named(&another.client_id), "which is which: {message}");
    let kept = scene.sender(&running).await.send("AAAAAAAAAA").await.unwrap();
    scene.person().finds(&[kept]).await;
    assert_eq!(scene.person().connections().await, before, "the other app's empty list is no deletion");
    assert!(scene.finlink.asked().iter().all(|asked| asked.client_id != another.client_id), "nothing is asked for it");
    running.stop().await.unwrap();
}
