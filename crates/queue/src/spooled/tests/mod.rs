//! Facts about the spool before a broker.

mod broker;
mod draining;
mod folders;
mod publishing;

use std::sync::Arc;
use std::time::Duration;

use broker::Broker;

use super::Spooled;
use crate::{Metrics, QueueState, SpoolSettings, testing};

/// A folder for spools and a broker before it.
struct Scene {
    folder: tempfile::TempDir,
    broker: Arc<Broker>,
    metrics: Metrics,
    registry: prometheus::Registry,
}

impl Scene {
    fn new(state: QueueState) -> Self {
        let registry = prometheus::Registry::new();
        let metrics = Metrics::register(&registry).expect("registered once");
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder, broker: Broker::new(state), metrics, registry }
    }

    /// Patient with the broker, and with nothing reserved on the disk.
    fn settings(&self) -> SpoolSettings {
        SpoolSettings {
            folder: self.folder.path().join("spool"),
            reserve_bytes: 0,
            broker_timeout: Duration::from_hours(1),
            ..SpoolSettings::default()
        }
    }

    fn open(&self) -> Spooled {
        self.open_with(&self.settings())
    }

    fn open_with(&self, settings: &SpoolSettings) -> Spooled {
        Spooled::open(self.broker.publisher(), settings, &self.metrics).expect("it opens")
    }

    /// A gauge, in whole units.
    fn metric(&self, name: &str) -> i64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).expect("a family");
        family.get_metric()[0].get_gauge().get_value() as i64
    }
}

async fn publish(spooled: &Spooled, numbers: impl IntoIterator<Item = u64>) {
    let publisher = spooled.publisher();
    for n in numbers {
        publisher.publish(testing::webhook(n)).await.expect("it is kept");
    }
}

/// Waits for something that other tasks bring about.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let look = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), look).await.unwrap_or_else(|_| panic!("never: {what}"));
}

async fn emptied(spooled: &Spooled) {
    eventually("the spool is empty", || spooled.depth().messages == 0).await;
}

async fn is_ready(spooled: &Spooled) {
    spooled.state().wait_for(|state| *state == QueueState::Ready).await.expect("it is open");
}

async fn is_degraded(spooled: &Spooled) {
    spooled.state().wait_for(|state| matches!(state, QueueState::Degraded(_))).await.expect("it is open");
}
