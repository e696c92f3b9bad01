//! What the stand-in has: apps with their secrets and connections, keys, sessions; and what it does wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Endpoint;
use super::connection::ConnectionStatus;
use crate::signing::SigningKey;

/// What an app logs in with.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Public.
    pub client_id: String,
    /// One of the app's secrets.
    pub client_secret: String,
}

/// What is wrong with an endpoint.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// This status, with a body of plain text.
    Status(u16),
    /// 429 with so many seconds of `Retry-After`.
    Busy(u32),
    /// The right answer, cut in its middle.
    Cut,
    /// 200 and an empty array.
    Empty,
    /// 200 and this text.
    Text(&'static str),
    /// The right answer, so much later.
    Late(Duration),
    /// The right answer as it was when the question came, once [`World::release`] is called.
    Held,
}

/// Everything that the stand-in knows.
#[derive(Debug)]
pub struct World {
    /// Connections by app (client id) and token.
    connections: BTreeMap<String, BTreeMap<String, Value>>,
    secrets: Vec<Credentials>,
    /// By secret: Finlink keeps one session per secret.
    sessions: BTreeMap<String, Session>,
    session_life: Duration,
    keys: BTreeMap<Uuid, Value>,
    signer: SigningKey,
    faults: BTreeMap<Endpoint, Fault>,
    /// Connections that a single question answers with 404 although they are there.
    hidden: BTreeSet<String>,
    down: bool,
    /// How often held answers were released.
    releases: u64,
}

#[derive(Debug)]
struct Session {
    token: String,
    client_id: String,
    reads: bool,
    ends_at: Instant,
}

impl World {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            connections: BTreeMap::new(),
            secrets: Vec::new(),
            sessions: BTreeMap::new(),
            session_life: Duration::from_hours(1),
            keys: BTreeMap::new(),
            signer: SigningKey::generate()?,
            faults: BTreeMap::new(),
            hidden: BTreeSet::new(),
            down: false,
            releases: 0,
        })
    }

    /// A new app with one secret and no connection.
    pub fn add_app(&mut self) -> Credentials {
        let client_id = Uuid::new_v4().to_string();
        self.connections.insert(client_id.clone(), BTreeMap::new());
        self.add_secret(&client_id)
    }

    /// Another secret of an app.
    pub fn add_secret(&mut self, client_id: &str) -> Credentials {
        let credentials =
            Credentials { client_id: client_id.to_owned(), client_secret: Uuid::new_v4().simple().to_string() };
        self.secrets.push(credentials.clone());
        credentials
    }

    /// The app has this connection, in this state, from now on.
    pub fn put(&mut self, client_id: &str, connection: &ConnectionStatus) {
        let app = self.connections.entry(client_id.to_owned()).or_default();
        app.insert(connection.token.clone(), connection.to_json());
    }

    /// The same in any shape.
    pub fn put_json(&mut self, client_id: &str, token: &str, connection: Value) {
        self.connections.entry(client_id.to_owned()).or_default().insert(token.to_owned(), connection);
    }

    /// The app has this connection no more.
    pub fn delete(&mut self, client_id: &str, token: &str) {
        self.connections.entry(client_id.to_owned()).or_default().remove(token);
    }

    /// The app's connections, by token.
    pub fn connections(&self, client_id: &str) -> Vec<Value> {
        self.connections.get(client_id).map(|app| app.values().cloned().collect()).unwrap_or_default()
    }

    pub(super) fn connection(&self, client_id: &str, token: &str) -> Option<&Value> {
        self.connections.get(client_id)?.get(token).filter(|_| !self.hidden.contains(token))
    }

    /// A key can be asked for from now on.
    pub fn publish_key(&mut self, key: &SigningKey) -> Result<()> {
        self.keys.insert(key.kid, key.jwk()?);
        Ok(())
    }

    pub(super) fn key(&self, kid: Uuid) -> Option<&Value> {
        self.keys.get(&kid)
    }

    /// Opens a session: the one before with this secret is over. What another program with the same secret does, too.
    pub fn log_in(&mut self, client_id: &str, client_secret: &str, scopes: &Value) -> Option<String> {
        let known = |known: &Credentials| known.client_id == client_id && known.client_secret == client_secret;
        self.secrets.iter().find(|credentials| known(credentials))?;
        let now = Timestamp::now().as_second();
        let claims = json!({
            "sub": client_id, "iat": now, "exp": now + self.session_life.as_secs() as i64, "jti": Uuid::new_v4(),
        });
        let token = self.signer.sign(&claims).ok()?;
        let reads = scopes.as_array().is_none_or(|scopes| scopes.iter().any(|scope| scope == "read"));
        let session = Session {
            token: token.clone(),
            client_id: client_id.to_owned(),
            reads,
            ends_at: Instant::now() + self.session_life,
        };
        self.sessions.insert(client_secret.to_owned(), session);
        Some(token)
    }

    /// Whose session this is, and whether it may read; `None` where it is nobody's any more.
    pub(super) fn session(&self, token: &str) -> Option<(String, bool)> {
        let session = self.sessions.values().find(|session| session.token == token)?;
        (Instant::now() < session.ends_at).then(|| (session.client_id.clone(), session.reads))
    }

    /// How long sessions live that are opened from now on.
    pub fn set_session_life(&mut self, life: Duration) {
        self.session_life = life;
    }

    /// Something goes wrong with an endpoint from now on, or, with `None`, nothing any more.
    pub fn set_fault(&mut self, endpoint: Endpoint, fault: Option<Fault>) {
        match fault {
            Some(fault) => drop(self.faults.insert(endpoint, fault)),
            None => drop(self.faults.remove(&endpoint)),
        }
    }

    pub(super) fn fault(&self, endpoint: Endpoint) -> Option<&Fault> {
        self.faults.get(&endpoint)
    }

    /// A single question answers 404 for a connection that is there, or does so no more.
    pub fn set_hidden(&mut self, token: &str, hidden: bool) {
        if hidden {
            self.hidden.insert(token.to_owned());
        } else {
            self.hidden.remove(token);
        }
    }

    /// Answers that are held go out now.
    pub fn release(&mut self) {
        self.releases += 1;
    }

    pub(super) fn releases(&self) -> u64 {
        self.releases
    }

    /// Every connection to the stand-in is reset, or no longer.
    pub fn set_down(&mut self, down: bool) {
        self.down = down;
    }

    pub(super) fn is_down(&self) -> bool {
        self.down
    }
}
