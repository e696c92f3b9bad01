//! A Finlink with one app, a sender with a known key, a data folder, and the settings of a pipeline between them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tests::binary::{Finlinkd, Setup};
use tests::finlink::{ConnectionStatus, Credentials, FakeFinlink, World, as_listed};
use tests::http::PATIENCE;
use tests::sender::Sender;
use tests::signing::SigningKey;
use tokio::time::{Instant, sleep};

/// The app's name in every scene.
pub(crate) const APP: &str = "main";
/// Between two looks at a state that nothing announces.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Days as seconds: the same rules, sooner.
const BRISK: &[(&str, &str)] = &[
    ("UPSTREAM__MAX_REQUESTS_PER_SECOND", "200"),
    ("UPSTREAM__LIST_APART", "300ms"),
    ("UPSTREAM__LOGIN_APART", "1s"),
    ("UPSTREAM__POLL_EVERY", "50ms"),
    ("UPSTREAM__KEYS_POLL_EVERY", "200ms"),
    ("UPSTREAM__KEY_QUESTIONS_APART", "50ms"),
    ("UPSTREAM__RETRY_WAIT", "50ms"),
    ("UPSTREAM__OUTAGE_PAUSE", "200ms"),
    ("UPSTREAM__OUTAGE_PAUSE_MAX", "500ms"),
    ("UPSTREAM__FAILURE_PAUSE", "200ms"),
    ("RULES__SWEEP_EVERY", "1s"),
    ("RULES__ANNOUNCE_EXISTING", "true"),
    ("RULES__UNKNOWN_KEY_WITHIN", "1s"),
    ("SCHEDULE__RUNNING", "500ms"),
    ("SCHEDULE__AUTOMATIC", "3s"),
    ("SCHEDULE__MANUAL", "3s"),
    ("SCHEDULE__RETRYABLE", "3s"),
    ("SCHEDULE__OTHER", "3s"),
    ("SCHEDULE__FLOOR", "500ms"),
    ("SCHEDULE__FLOOR_MAX", "3s"),
    ("SCHEDULE__CEILING", "3s"),
    ("SCHEDULE__SECOND_LOOK", "500ms"),
    ("SCHEDULE__DELETION_ROUNDS_APART", "500ms"),
    ("SCHEDULE__HINTED_READS_APART", "50ms"),
    ("INGRESS__GRACE", "0s"),
];

/// Everything that a test plays with but the running pipeline itself.
pub(crate) struct Scene {
    pub(crate) finlink: FakeFinlink,
    pub(crate) app: Credentials,
    pub(crate) key: Arc<SigningKey>,
    /// Removed with the scene.
    _folder: TempDir,
    pub(crate) setup: Setup,
}

impl Scene {
    /// With the settings that a stranger gets.
    pub(crate) async fn plain() -> Self {
        let finlink = FakeFinlink::start().await.unwrap();
        let app = finlink.world(World::add_app);
        let key = Arc::new(SigningKey::generate().unwrap());
        finlink.world(|world| world.publish_key(&key)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let setup = Setup::in_folder(folder.path())
            .with_app(APP, &app)
            .with("UPSTREAM__BASE_URL", &finlink.base_url())
            .with("INGRESS__GRACE", "0s");
        Self { finlink, app, key, _folder: folder, setup }
    }

    /// With days made into seconds.
    pub(crate) async fn brisk() -> Self {
        let mut scene = Self::plain().await;
        for (name, value) in BRISK {
            scene.setup.set(name, value);
        }
        scene
    }

    /// Finlink shows this connection from now on.
    pub(crate) fn put(&self, connection: &ConnectionStatus) {
        self.finlink.world(|world| world.put(&self.app.client_id, connection));
    }

    /// Finlink shows these connections from now on.
    pub(crate) fn put_all(&self, connections: &[ConnectionStatus]) {
        for connection in connections {
            self.put(connection);
        }
    }

    /// Finlink has this connection no more.
    pub(crate) fn delete(&self, token: &str) {
        self.finlink.world(|world| world.delete(&self.app.client_id, token));
    }

    /// A sender to a running pipeline with the key that Finlink knows.
    pub(crate) async fn sender(&self, running: &Finlinkd) -> Sender {
        let address = running.address("listen").await.unwrap();
        Sender { address, app: APP.to_owned(), key: Arc::clone(&self.key) }
    }

    /// What Finlink has, as it must be listed.
    pub(crate) fn truth(&self) -> Vec<Value> {
        let connections = self.finlink.world(|world| world.connections(&self.app.client_id));
        connections.iter().map(|connection| as_listed(APP, connection)).collect()
    }

    /// Waits until the user's API shows Finlink's truth, then demands the same of the command.
    pub(crate) async fn converges(&self, running: &Finlinkd) {
        let shown = eventually("the connections equal the truth", async || {
            let listed = running.api("/v1/connections?limit=1000").await.unwrap().json().unwrap();
            let listed = listed["connections"].as_array().unwrap().iter().map(bare).collect::<Vec<_>>();
            if listed == self.truth() { Ok(()) } else { Err(format!("{listed:#?}\nis not\n{:#?}", self.truth())) }
        });
        shown.await;
        assert_eq!(self.listed().await.iter().map(bare).collect::<Vec<_>>(), self.truth());
    }

    /// `connections list --json --all`, live ones only.
    pub(crate) async fn listed(&self) -> Vec<Value> {
        array(self.setup.json(&["connections", "list", "--live", "--all", "--json"]).await.unwrap())
    }

    /// `webhooks list --json --all`, by receipt.
    pub(crate) async fn webhooks(&self) -> BTreeMap<String, Value> {
        let listed = array(self.setup.json(&["webhooks", "list", "--all", "--json"]).await.unwrap());
        listed.into_iter().map(|webhook| (webhook["receipt"].as_str().unwrap().to_owned(), webhook)).collect()
    }

    /// Waits until these are among the webhooks of `webhooks list --all`.
    pub(crate) async fn keeps(&self, receipts: &[String]) {
        let kept = eventually("every acknowledged webhook is listed", async || {
            let listed = self.webhooks().await;
            let lost: Vec<&String> = receipts.iter().filter(|receipt| !listed.contains_key(*receipt)).collect();
            if lost.is_empty() {
                Ok(())
            } else {
                Err(format!("{} of {} are not: {lost:?}", lost.len(), receipts.len()))
            }
        });
        kept.await;
    }
}

/// Waits until `state` holds, within a minute; it says what is wrong until then.
pub(crate) async fn eventually<T>(what: &str, mut state: impl AsyncFnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match state().await {
            Ok(found) => return found,
            Err(why) if Instant::now() > deadline => panic!("{what}: not within {PATIENCE:?}: {why}"),
            Err(_) => sleep(LOOK_AGAIN).await,
        }
    }
}

/// The elements of an array.
pub(crate) fn array(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        other => panic!("no array: {other}"),
    }
}

/// A listed connection without what only finlinkd knows of it.
pub(crate) fn bare(listed: &Value) -> Value {
    let mut fields = listed.as_object().unwrap().clone();
    for own in ["version", "as_of", "deleted_at"] {
        assert!(fields.remove(own).is_some(), "{own} is missing in {listed}");
    }
    Value::Object(fields)
}

/// A sample of `/metrics` that is a whole number, or 0 where there is none: its name with its labels in alphabetical order.
pub(crate) async fn counter(running: &Finlinkd, series: &str) -> u64 {
    let page = running.admin("/metrics").await.unwrap().text();
    let value = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().unwrap())
}

/// How many requests to `app` ended like this.
pub(crate) async fn outcomes(running: &Finlinkd, app: &str, outcome: &str) -> u64 {
    counter(running, &format!(r#"finlinkd_ingress_requests_total{{app="{app}",outcome="{outcome}"}}"#)).await
}
