//! The scenarios that every engine of the queue must pass.

use async_trait::async_trait;

use super::Scene;
use crate::conformance::{Engine, Queue};
use crate::embedded::EmbeddedQueue;
use crate::{Publisher, Subscription};

/// A file in a folder of its own.
struct Embedded;

#[async_trait]
impl Engine for Embedded {
    async fn open(&self) -> Box<dyn Queue> {
        let scene = Scene::new();
        Box::new(Open { queue: scene.open(), scene })
    }
}

struct Open {
    queue: EmbeddedQueue,
    scene: Scene,
}

#[async_trait]
impl Queue for Open {
    fn publisher(&self) -> Publisher {
        self.queue.publisher()
    }

    fn subscribe(&self) -> Subscription {
        self.queue.subscribe()
    }

    async fn cut_off(self: Box<Self>) -> Box<dyn Queue> {
        let Self { queue, scene } = *self;
        queue.close().await;
        Box::new(Self { queue: scene.open(), scene })
    }
}

crate::queue_conformance_tests!(Embedded);

#[test]
fn every_scenario_is_run() {
    let list = include_str!("../../conformance.rs");
    let areas = [
        ("batches", include_str!("../../conformance/batches.rs")),
        ("publishing", include_str!("../../conformance/publishing.rs")),
        ("settling", include_str!("../../conformance/settling.rs")),
    ];
    for (area, text) in areas {
        for line in text.lines() {
            let Some(rest) = line.strip_prefix("pub async fn ") else { continue };
            let name = rest.split('(').next().unwrap_or_default();
            assert!(list.contains(&format!("{area}::{name},")), "{area}::{name} is not in queue_conformance_tests!");
        }
    }
}
