//! A deployment, a Finlink that shares no code with ours, and what must be true of the two.
//!
//! What is done to the deployment is in `shaken`, what its books must say in `books`, and what it shows of itself in `watched`.

mod books;
mod load;
mod shaken;
mod watched;

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;
use tests::deployment;
use tests::finlink::{ConnectionStatus, Credentials, FakeFinlink, World, as_listed};
use tests::http;
use tests::looking::{array, bare, eventually};
use tests::sender::{Sender, naming};
use tests::signing::SigningKey;

use self::load::Load;
use crate::deployment::{Counts, Deployment};

/// What the app is called: as in the committed `.env`.
pub(crate) const APP: &str = "demo";
/// Connections of the app.
const CONNECTIONS: usize = 12;

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
    /// How many processes of the scaled roles there are to be.
    counts: Counts,
    /// Receipts of all webhooks that were answered with 200.
    acknowledged: Vec<String>,
    /// Runs of ingress so far, and how many of them were killed.
    runs: usize,
    killed: usize,
}

impl<D: Deployment> Scene<D> {
    /// With one process of each role.
    pub(crate) fn new(deployment: D, finlink: Finlink) -> Self {
        let connections = (0..CONNECTIONS).map(|number| ConnectionStatus::pending(&format!("COMPOSED{number:02}")));
        let connections = connections.collect();
        let counts = Counts { ingress: 1, consumer: 1 };
        let scene = Self { deployment, finlink, connections, counts, acknowledged: Vec::new(), runs: 1, killed: 0 };
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

    /// One sender for each way in.
    fn senders(&self) -> Vec<Sender> {
        let sender = |address| Sender { address, app: APP.to_owned(), key: Arc::clone(&self.finlink.key) };
        self.deployment.webhooks().into_iter().map(sender).collect()
    }

    /// Sends webhooks of all connections until it is stopped.
    fn load(&self) -> Load {
        let tokens: Vec<&str> = self.connections.iter().map(|connection| connection.token.as_str()).collect();
        Load::start(&self.senders(), &tokens)
    }

    /// A key that nobody knows yet is learned from the first webhook; then a forgery in its name is refused.
    pub(crate) async fn refuses_forgeries(&mut self) {
        for sender in self.senders() {
            self.acknowledged.push(sender.send(&self.connections[0].token).await.unwrap());
            let forger = Sender { key: Arc::new(self.finlink.key.impostor().unwrap()), ..sender };
            let refused = eventually("a forgery is refused", async || {
                let answer = forger.post(&naming("COMPOSED00")).await.map_err(|error| format!("{error:#}"))?;
                if answer.status() == 401 { Ok(()) } else { Err(format!("{} {}", answer.line, answer.text())) }
            });
            refused.await;
        }
    }

    /// One webhook of each connection is answered with 200, while the connections change.
    pub(crate) async fn takes_webhooks_of_every_connection(&mut self) {
        self.change();
        for (connection, sender) in self.connections.iter().zip(self.senders().iter().cycle()) {
            self.acknowledged.push(sender.send(&connection.token).await.unwrap());
        }
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
