//! A Finlink with one app, a sender with a known key, a data folder, and the settings of a pipeline between them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use tests::binary::{Finlinkd, Setup};
use tests::finlink::{ConnectionStatus, Credentials, FakeFinlink, World, as_listed};
pub(crate) use tests::looking::{array, bare, counter, eventually};
use tests::sender::Sender;
use tests::signing::SigningKey;

/// The app's name in every scene.
pub(crate) const APP: &str = "main";

/// Everything that a test plays with but the running pipeline itself.
pub(crate) struct Scene {
    pub(crate) finlink: FakeFinlink,
    pub(crate) app: Credentials,
    pub(crate) key: Arc<SigningKey>,
    folder: TempDir,
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
        Self { finlink, app, key, folder, setup }
    }

    /// With days made into seconds.
    pub(crate) async fn brisk() -> Self {
        let mut scene = Self::plain().await;
        scene.setup = scene.setup.brisk();
        scene
    }

    /// The data folder, which is removed with the scene.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
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

    /// Sends webhooks until the receiver knows the sender's key; answers their receipts.
    pub(crate) async fn introduces(&self, sender: &Sender, running: &Finlinkd) -> Vec<String> {
        let mut sent = Vec::new();
        eventually("the key is known", async || {
            sent.push(sender.send("AAAAAAAAAA").await.unwrap());
            if outcomes(running, APP, "accepted").await > 0 { Ok(()) } else { Err("not yet".to_owned()) }
        })
        .await;
        sent
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

/// How many requests to `app` ended like this.
pub(crate) async fn outcomes(running: &Finlinkd, app: &str, outcome: &str) -> u64 {
    counter(running, &format!(r#"finlinkd_ingress_requests_total{{app="{app}",outcome="{outcome}"}}"#)).await
}
