//! A deployment, a Finlink that shares no code with ours, and what must be true of the two.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;
use tests::deployment;
use tests::finlink::{ConnectionStatus, Credentials, FakeFinlink, World, as_listed};
use tests::http;
use tests::looking::{array, bare, eventually};
use tests::sender::{Flood, Sender, naming};
use tests::signing::SigningKey;

use crate::deployment::{Deployment, Server};

/// What the app is called: as in the committed `.env`.
pub(crate) const APP: &str = "demo";
/// Connections of the app.
const CONNECTIONS: usize = 12;
/// Requests of a load at a time.
const FLOOD_CONNECTIONS: usize = 2;
/// Accepted before a server stops, while it is away, and after.
const ACCEPTED: usize = 100;

/// A Finlink with one app, and what signs its webhooks.
pub(crate) struct Finlink {
    pub(crate) fake: FakeFinlink,
    pub(crate) app: Credentials,
    key: Arc<SigningKey>,
}

impl Finlink {
    pub(crate) fn new(fake: FakeFinlink) -> Self {
        let app = fake.world(World::add_app);
        let key = Arc::new(SigningKey::generate().unwrap());
        fake.world(|world| world.publish_key(&key)).unwrap();
        Self { fake, app, key }
    }
}

/// One deployment with its Finlink.
pub(crate) struct Scene<D> {
    pub(crate) deployment: D,
    finlink: Finlink,
    connections: Vec<ConnectionStatus>,
    /// Receipts of all webhooks that were answered with 200.
    acknowledged: Vec<String>,
    /// The runs of ingress that were stopped.
    stopped: BTreeSet<String>,
}

impl<D: Deployment> Scene<D> {
    pub(crate) fn new(deployment: D, finlink: Finlink) -> Self {
        let connections = (0..CONNECTIONS).map(|number| ConnectionStatus::pending(&format!("COMPOSED{number:02}")));
        let connections = connections.collect();
        let scene = Self { deployment, finlink, connections, acknowledged: Vec::new(), stopped: BTreeSet::new() };
        scene.show();
        scene
    }

    /// Finlink shows the connections as they are.
    fn show(&self) {
        let app = &self.finlink.app.client_id;
        self.finlink.fake.world(|world| self.connections.iter().for_each(|one| world.put(app, one)));
    }

    /// Something happens to every connection: an update that succeeds, or every third time one that fails.
    fn change(&mut self) {
        for (number, connection) in self.connections.iter_mut().enumerate() {
            let before = connection.clone();
            *connection = if number % 3 == 0 { before.failed(true) } else { before.synced() };
        }
        self.show();
    }

    fn sender(&self) -> Sender {
        let key = Arc::clone(&self.finlink.key);
        Sender { address: self.deployment.webhooks(), app: APP.to_owned(), key }
    }

    fn flood(&self) -> Flood {
        let tokens: Vec<&str> = self.connections.iter().map(|connection| connection.token.as_str()).collect();
        self.sender().flood(&tokens, FLOOD_CONNECTIONS).unwrap()
    }

    /// A key that nobody knows yet is learned from the first webhook; then a forgery in its name is refused.
    pub(crate) async fn refuses_forgeries(&mut self) {
        let sender = self.sender();
        self.acknowledged.push(sender.send(&self.connections[0].token).await.unwrap());
        let forger = Sender { key: Arc::new(self.finlink.key.impostor().unwrap()), ..sender };
        let refused = eventually("a forgery is refused", async || {
            let answer = forger.post(&naming("COMPOSED00")).await.map_err(|error| format!("{error:#}"))?;
            if answer.status() == 401 { Ok(()) } else { Err(format!("{} {}", answer.line, answer.text())) }
        });
        refused.await;
    }

    /// One webhook of each connection is answered with 200, while the connections change.
    pub(crate) async fn takes_webhooks_of_every_connection(&mut self) {
        self.change();
        let sender = self.sender();
        for connection in &self.connections {
            self.acknowledged.push(sender.send(&connection.token).await.unwrap());
        }
    }

    /// A server is stopped and started under load, and nobody is refused.
    pub(crate) async fn answers_through_a_restart_of(&mut self, server: Server) {
        let flood = self.flood();
        flood.accepts(ACCEPTED).await.unwrap();
        self.deployment.stop(server).await;
        self.change();
        flood.accepts(flood.accepted() + ACCEPTED).await.unwrap();
        self.deployment.start(server).await;
        self.change();
        flood.accepts(flood.accepted() + ACCEPTED).await.unwrap();
        let heard = flood.stop().await.unwrap();
        assert!(heard.refused.is_empty(), "{server:?} was away: {:?}", heard.refused);
        assert!(heard.broken.is_empty() && heard.unreachable == 0, "{server:?} was away: {heard:?}");
        self.acknowledged.extend(heard.receipts);
    }

    /// Everything is stopped with webhooks on their way, and started again.
    pub(crate) async fn stops_and_starts_without_loss(&mut self) {
        let flood = self.flood();
        flood.accepts(ACCEPTED).await.unwrap();
        self.acknowledged.extend(flood.stop().await.unwrap().receipts);
        let running = eventually("there are books of what runs", async || {
            let running: BTreeSet<String> = self.books().await?.1.into_keys().collect();
            if running.is_empty() { Err("there are none".to_owned()) } else { Ok(running) }
        });
        self.stopped = running.await;
        self.deployment.stop_all().await;
        self.change();
        self.deployment.start_all().await;
        self.every_acknowledged_webhook_is_listed().await;
    }

    /// The user's API shows every connection as Finlink does, row by row.
    pub(crate) async fn state_equals_truth(&self) {
        let shown = eventually("the state equals the truth", async || {
            let listed = ask_api(self.deployment.api(), "/v1/connections?limit=1000").await?;
            let listed: Vec<Value> = array(listed["connections"].clone()).iter().map(bare).collect();
            let truth = self.finlink.fake.world(|world| world.connections(&self.finlink.app.client_id));
            let truth: Vec<Value> = truth.iter().map(|connection| as_listed(APP, connection)).collect();
            if listed == truth { Ok(()) } else { Err(format!("{listed:#?}\nis not\n{truth:#?}")) }
        });
        shown.await;
    }

    /// Every job of `prometheus.yml` has targets, those of the consumers are so many, and each was scraped.
    pub(crate) async fn every_target_is_up(&self, consumers: usize) {
        let up = eventually("every target is up", async || {
            let answer = http::get(self.deployment.prometheus(), "/api/v1/targets?state=active").await;
            let answer = answer.and_then(|answer| answer.json()).map_err(|error| format!("{error:#}"))?;
            let targets = array(answer["data"]["activeTargets"].clone());
            let mut found: BTreeMap<String, usize> = BTreeMap::new();
            for target in &targets {
                *found.entry(target["labels"]["job"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            let all_up = targets.iter().all(|target| target["health"] == "up");
            let jobs: BTreeSet<String> = found.keys().cloned().collect();
            let complete = jobs == deployment::scrape_jobs().unwrap() && found.get("consumer") == Some(&consumers);
            if all_up && complete {
                Ok(())
            } else {
                Err(format!("{found:?}, expected {consumers} consumers: {targets:#?}"))
            }
        });
        up.await;
    }

    /// Whatever was answered with 200 is among the webhooks.
    pub(crate) async fn every_acknowledged_webhook_is_listed(&self) {
        let kept = eventually("every acknowledged webhook is listed", async || {
            let told = self.deployment.person(&["webhooks", "list", "--all", "--json"]).await;
            let listed: Vec<Value> =
                serde_json::from_str(&told.output).map_err(|error| format!("{error}: {}", told.complaint))?;
            let listed: BTreeSet<&str> = listed.iter().filter_map(|webhook| webhook["receipt"].as_str()).collect();
            let lost = self.acknowledged.iter().filter(|receipt| !listed.contains(receipt.as_str()));
            let lost: Vec<&String> = lost.take(5).collect();
            if lost.is_empty() {
                Ok(())
            } else {
                Err(format!("of {} there are not: {lost:?}", self.acknowledged.len()))
            }
        });
        kept.await;
    }

    /// The books have no hole. They prove the runs that were stopped to their ends, and those that were started since as far
    /// as they have come: nothing is on its way to them any more.
    pub(crate) async fn the_books_are_right(&self) {
        assert!(!self.stopped.is_empty(), "nothing was stopped");
        let proven = eventually("the books are right", async || {
            let (exit_code, runs) = self.books().await?;
            let balanced = runs.values().all(|run| run["verdict"] == "balanced");
            let ended = runs.iter().filter(|(_, run)| run["ended"] == true).map(|(instance, _)| instance.clone());
            let ended: BTreeSet<String> = ended.collect();
            let some_run = runs.len() > ended.len();
            if exit_code == Some(0) && balanced && ended == self.stopped && some_run {
                Ok(())
            } else {
                Err(format!("exit code {exit_code:?}, stopped were {:?}: {runs:#?}", self.stopped))
            }
        });
        proven.await;
    }

    /// What `ledger verify` says: its exit code, and the runs by their instances.
    async fn books(&self) -> Result<(Option<i32>, BTreeMap<String, Value>), String> {
        let told = self.deployment.person(&["ledger", "verify", "--json"]).await;
        let runs: Vec<Value> =
            serde_json::from_str(&told.output).map_err(|error| format!("{error}: {}", told.complaint))?;
        let by_instance = |run: Value| (run["instance"].as_str().unwrap().to_owned(), run);
        Ok((told.exit_code, runs.into_iter().map(by_instance).collect()))
    }
}

/// What the user's API answers to one who has its token; an error is what it says instead.
pub(crate) async fn ask_api(api: SocketAddr, target: &str) -> Result<Value, String> {
    let token = deployment::text("secrets/demo/api_token").unwrap();
    let token = token.trim();
    let request = format!("GET {target} HTTP/1.1\r\nhost: finlinkd.test\r\nauthorization: Bearer {token}\r\n\r\n");
    let answer = http::once(api, request.as_bytes()).await.map_err(|error| format!("{error:#}"))?;
    if answer.status() != 200 {
        return Err(format!("{} {}", answer.line, answer.text()));
    }
    answer.json().map_err(|error| format!("{error:#}"))
}
