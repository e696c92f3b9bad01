//! R7: numbers without holes or repetitions, whoever gives them.

use std::collections::HashSet;

use feed::{Metrics, Numberer, Step};
use prometheus::Registry;
use store::Cursor;
use tokio_util::sync::CancellationToken;

use crate::scene::Scene;
use crate::served::quick;

fn numberer(scene: &Scene) -> Numberer {
    Numberer::new(scene.arc(), quick(), Metrics::register(&Registry::new()).unwrap())
}

#[tokio::test]
async fn a_step_numbers_what_is_committed_and_tells_the_readers() {
    let scene = Scene::new(&["main"]).await;
    let mut numberer = numberer(&scene);
    let latest = numberer.latest();
    assert_eq!(numberer.step().await, Ok(Step::Idle));
    assert_eq!(*latest.borrow(), Cursor(0));

    scene.sync("main", "CONN000001", 1).await;

    let Ok(Step::Numbered(count)) = numberer.step().await else { panic!("expected events to be numbered") };
    assert_eq!(*latest.borrow(), Cursor(count));
    assert_eq!(numberer.step().await, Ok(Step::Idle));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_numberers_at_once_neither_double_nor_skip_a_number() {
    let scene = Scene::new(&["main", "other"]).await;
    let stop = CancellationToken::new();
    let running = [(); 2].map(|()| tokio::spawn(numberer(&scene).run(stop.clone())));
    let commit = async |app: &str| {
        for minute in 1..=60 {
            scene.sync(app, &format!("CONN{:06}", minute % 7), minute).await;
        }
    };
    tokio::join!(commit("main"), commit("other"));
    stop.cancel();
    for numberer in running {
        numberer.await.unwrap().unwrap();
    }
    scene.number().await;

    let all = scene.all().await;
    let numbers: Vec<u64> = all.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, (1..=all.len() as u64).collect::<Vec<_>>());
    let ids: HashSet<String> = all.iter().map(|entry| id(&entry.event)).collect();
    assert!(all.len() >= 120 && ids.len() == all.len(), "{} events, {} ids", all.len(), ids.len());
}

fn id(event: &str) -> String {
    let event: serde_json::Value = serde_json::from_str(event).unwrap();
    event["id"].as_str().unwrap().to_owned()
}
