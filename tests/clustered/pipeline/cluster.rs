//! A Finlink with one app, and the settings of each role between it and the servers: every role is told what it needs and
//! nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use tests::binary::{Finlinkd, Setup};
use tests::finlink::{ConnectionStatus, Credentials, FakeFinlink, World, as_listed};
use tests::looking::{array, bare, counter, eventually};
use tests::roles::{SOURCES_FIRST, Surroundings, role_of};
use tests::sender::{Flood, Sender};
use tests::servers::{VirtualHost, free_port};
use tests::signing::SigningKey;

use crate::{broker, database};

/// The app's name in every cluster.
pub(crate) const APP: &str = "main";
/// Connections that a load names.
pub(crate) const TOKENS: [&str; 4] = ["AAAAAAAAAA", "BBBBBBBBBB", "CCCCCCCCCC", "DDDDDDDDDD"];
/// Requests of a load at a time, to each ingress.
const FLOOD_CONNECTIONS: usize = 3;

/// Where the broker is.
#[derive(Clone)]
pub(crate) enum Queue {
    /// Each role goes there as its own user, who may do what `deploy/` lets it and nothing else.
    Deployed(VirtualHost),
    /// All roles are told this address.
    At(String),
}

impl Queue {
    /// The address for a user of `deploy/rabbitmq/definitions.json`.
    pub(crate) fn address_of(&self, user: &str) -> String {
        match self {
            Self::Deployed(host) => host.address_of(user).unwrap(),
            Self::At(address) => address.clone(),
        }
    }
}

/// Everything but the processes.
pub(crate) struct Cluster {
    pub(crate) finlink: FakeFinlink,
    pub(crate) app: Credentials,
    pub(crate) key: Arc<SigningKey>,
    pub(crate) queue: Queue,
    /// The address of the database.
    pub(crate) store: String,
    /// Where Finlink is.
    pub(crate) upstream: String,
    /// Where the first reconciler gives the keys, so that an ingress finds it again.
    keys_port: u16,
    folder: TempDir,
}

impl Cluster {
    /// On these servers.
    pub(crate) async fn on(queue: Queue, store: String) -> Self {
        let finlink = FakeFinlink::start().await.unwrap();
        let app = finlink.world(World::add_app);
        let key = Arc::new(SigningKey::generate().unwrap());
        finlink.world(|world| world.publish_key(&key)).unwrap();
        let (upstream, keys_port) = (finlink.base_url(), free_port().unwrap());
        let folder = tempfile::tempdir().unwrap();
        Self { finlink, app, key, queue, store, upstream, keys_port, folder }
    }

    /// On the servers that every test shares, with a virtual host and a database of its own.
    pub(crate) async fn shared() -> Self {
        let queue = tokio::task::block_in_place(broker::deployed);
        let store = tokio::task::block_in_place(|| database::shared().url(&database::new_database()));
        Self::on(Queue::Deployed(queue), store).await
    }

    /// The data folder of `name`.
    pub(crate) fn folder_of(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// How `name` starts; its role stands before the dash, and each has a folder of its own.
    pub(crate) fn setup(&self, name: &str) -> Setup {
        let surroundings = Surroundings {
            app_name: APP,
            app: &self.app,
            store: &self.store,
            upstream: &self.upstream,
            keys_port: self.keys_port,
            folder: self.folder.path(),
        };
        surroundings.setup(name, |user| self.queue.address_of(user))
    }

    /// Starts `name` and waits until it is ready, degraded or not.
    pub(crate) async fn start(&self, name: &str) -> Finlinkd {
        self.setup(name).run_role(role_of(name)).await.unwrap()
    }

    /// Starts all of these.
    pub(crate) async fn start_all(&self, names: &[&str]) -> Roles {
        let mut roles = Roles::default();
        for name in names {
            roles.0.insert((*name).to_owned(), self.start(name).await);
        }
        roles
    }

    /// Finlink shows these connections from now on.
    pub(crate) fn put_all(&self, connections: &[ConnectionStatus]) {
        self.finlink.world(|world| connections.iter().for_each(|one| world.put(&self.app.client_id, one)));
    }

    /// What Finlink has, as it must be listed.
    pub(crate) fn truth(&self) -> Vec<Value> {
        let connections = self.finlink.world(|world| world.connections(&self.app.client_id));
        connections.iter().map(|connection| as_listed(APP, connection)).collect()
    }

    /// A sender to an ingress.
    pub(crate) async fn sender(&self, ingress: &Finlinkd) -> Sender {
        let address = ingress.address("listen").await.unwrap();
        Sender { address, app: APP.to_owned(), key: Arc::clone(&self.key) }
    }

    /// A load on an ingress.
    pub(crate) async fn flood(&self, ingress: &Finlinkd) -> Flood {
        self.sender(ingress).await.flood(&TOKENS, FLOOD_CONNECTIONS).unwrap()
    }

    /// What a command of a person's prints.
    pub(crate) async fn ask(&self, arguments: &[&str]) -> Value {
        self.setup("person").json(arguments).await.unwrap()
    }

    /// `webhooks list --json --all`, by receipt.
    pub(crate) async fn webhooks(&self) -> BTreeMap<String, Value> {
        let listed = array(self.ask(&["webhooks", "list", "--all", "--json"]).await);
        listed.into_iter().map(|webhook| (webhook["receipt"].as_str().unwrap().to_owned(), webhook)).collect()
    }

    /// Waits until these receipts are among the webhooks.
    pub(crate) async fn keeps(&self, receipts: &[String]) {
        let kept = eventually("every acknowledged webhook is listed", async || {
            let listed = self.webhooks().await;
            let lost: Vec<_> = receipts.iter().filter(|receipt| !listed.contains_key(*receipt)).take(5).collect();
            if lost.is_empty() { Ok(()) } else { Err(format!("of {} there are not: {lost:?}", receipts.len())) }
        });
        kept.await;
    }

    /// Waits until the connections equal `truth`.
    pub(crate) async fn converges(&self, truth: impl Fn() -> Vec<Value>) {
        let shown = eventually("the connections equal the truth", async || {
            let listed = array(self.ask(&["connections", "list", "--live", "--all", "--json"]).await);
            let (listed, truth) = (listed.iter().map(bare).collect::<Vec<_>>(), truth());
            if listed == truth { Ok(()) } else { Err(format!("{listed:#?}\nis not\n{truth:#?}")) }
        });
        shown.await;
    }

    /// Waits until the books have no holes, and those of `balanced` runs or more are proven to the end.
    pub(crate) async fn books_are_right(&self, balanced: usize) {
        let proven = eventually("the books are right", async || {
            let output = self.setup("person").output(&["ledger", "verify", "--json"]).await.unwrap();
            let lines = array(serde_json::from_slice(&output.stdout).unwrap());
            let found = lines.iter().filter(|line| line["verdict"] == "balanced").count();
            if output.status.code() == Some(0) && found >= balanced { Ok(()) } else { Err(format!("{lines:#?}")) }
        });
        proven.await;
    }
}

/// Demands that no event of a feed came twice, that no connection's versions went back, and returns the events.
pub(crate) async fn events_once(feed: &Finlinkd) -> Vec<Value> {
    let (mut events, mut after) = (Vec::new(), 0);
    loop {
        let page = feed.api(&format!("/v1/events?after={after}&limit=500")).await.unwrap().json().unwrap();
        let part = array(page["events"].clone());
        if part.is_empty() {
            break;
        }
        events.extend(part);
        after = page["next"].as_u64().unwrap();
    }
    let ids: BTreeSet<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), events.len(), "an event came twice: {events:#?}");
    let mut versions: BTreeMap<&str, u64> = BTreeMap::new();
    for event in &events {
        let connection = &event["data"]["connection"];
        let version = connection["version"].as_u64().unwrap();
        let last = versions.insert(connection["token"].as_str().unwrap(), version);
        assert!(last.is_none_or(|last| last <= version), "a connection went back: {event:#}");
    }
    events
}

/// Waits until nothing is in the spool of an ingress.
pub(crate) async fn drained(ingress: &Finlinkd) {
    let empty = eventually("the spool is empty", async || match counter(ingress, "finlinkd_spool_messages").await {
        0 => Ok(()),
        left => Err(format!("{left} messages are in it\n{}", ingress.last_lines())),
    });
    empty.await;
}

/// Waits until `/readyz` says this of a process, or of a part of it.
pub(crate) async fn is_said_to_be(process: &Finlinkd, part: Option<&str>, status: &str) -> Value {
    let said = eventually(status, async || {
        let health = process.admin("/readyz").await.unwrap().json().unwrap();
        let found = part.map_or(&health["status"], |part| &health["parts"][part]["status"]);
        if found == status { Ok(health) } else { Err(format!("{health:#}")) }
    });
    said.await
}

/// Running processes by name.
#[derive(Default)]
pub(crate) struct Roles(BTreeMap<String, Finlinkd>);

impl Roles {
    /// One of them.
    pub(crate) fn get(&self, name: &str) -> &Finlinkd {
        self.0.get(name).unwrap_or_else(|| panic!("{name} does not run"))
    }

    /// Takes one out, to be killed or stopped.
    pub(crate) fn take(&mut self, name: &str) -> Finlinkd {
        self.0.remove(name).unwrap_or_else(|| panic!("{name} does not run"))
    }

    /// Puts one in.
    pub(crate) fn put(&mut self, name: &str, process: Finlinkd) {
        self.0.insert(name.to_owned(), process);
    }

    /// Asks all to stop, the sources of messages first; each must end well.
    pub(crate) async fn stop(mut self) {
        for role in SOURCES_FIRST {
            let names: Vec<String> = self.0.keys().filter(|name| role_of(name) == role).cloned().collect();
            for name in names {
                self.take(&name).stop().await.unwrap_or_else(|error| panic!("{name}: {error:#}"));
            }
        }
    }
}
