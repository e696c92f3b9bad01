//! A Finlink that does what a test says: one session per secret, connections and keys as given, and any odd answer.
//!
//! It speaks HTTP over a bare socket, so that an answer can also be cut, late, or not there at all.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Endpoint {
    Login,
    List,
    Connection,
    Key,
}

/// An answer that a test wants.
#[derive(Debug, Clone)]
pub(crate) enum Odd {
    /// This status, with an empty object.
    Status(u16),
    /// This status, and `Retry-After` in seconds.
    After(u16, u64),
    /// 200 and this body.
    Body(String),
    /// What would be answered, but the connection is closed in its middle.
    Cut,
    /// The connection is closed without an answer.
    Nothing,
    /// No answer, and the connection stays open.
    Silence,
}

/// Requests that arrive, and wait until they may be answered.
#[derive(Clone)]
pub(crate) struct Gate {
    arrived: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Gate {
    /// Waits until a request waits at the gate.
    pub(crate) async fn arrived(&self) {
        self.arrived.acquire().await.unwrap().forget();
    }

    /// Lets one request pass.
    pub(crate) fn open(&self) {
        self.open.add_permits(1);
    }
}

/// What it knows, and what it was asked.
pub(crate) struct State {
    pub(crate) connections: BTreeMap<String, Value>,
    pub(crate) keys: BTreeMap<Uuid, Value>,
    pub(crate) client_id: String,
    pub(crate) secret: String,
    /// What a login that succeeds is answered with.
    pub(crate) login_status: u16,
    /// Added to the list as they are.
    pub(crate) strays: Vec<Value>,
    /// The one session.
    pub(crate) session: Option<String>,
    pub(crate) scopes: Vec<Value>,
    pub(crate) traces: Vec<Option<String>>,
    asked: BTreeMap<Endpoint, usize>,
    odd: BTreeMap<Endpoint, VecDeque<Odd>>,
    always: BTreeMap<Endpoint, Odd>,
    gates: BTreeMap<Endpoint, Gate>,
    logins: usize,
}

/// The server; it ends with the value.
pub(crate) struct Finlink {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

impl Drop for Finlink {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Finlink {
    pub(crate) async fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            connections: BTreeMap::new(),
            keys: BTreeMap::new(),
            client_id: "client".to_owned(),
            secret: "secret".to_owned(),
            login_status: 200,
            strays: Vec::new(),
            session: None,
            scopes: Vec::new(),
            traces: Vec::new(),
            asked: BTreeMap::new(),
            odd: BTreeMap::new(),
            always: BTreeMap::new(),
            gates: BTreeMap::new(),
            logins: 0,
        }));
        let serving = tokio::spawn(serve(socket, state.clone()));
        Self { address, state, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A connection as Finlink tells it; `sync` makes it differ.
    pub(crate) fn put(&self, token: &str, status: &str, sync: u32) {
        let at = format!("2026-01-01T00:00:{sync:02}.000Z");
        let value = json!({
            "credentialsToken": token, "status": status, "entity": "santander", "createdAt": "2025-12-01T00:00:00.000Z",
            "updatedAt": at, "lastSync": at, "twoFactorEnabled": false, "hasCredentials": true, "externalId": "x"
        });
        self.state().connections.insert(token.to_owned(), value);
    }

    pub(crate) fn remove(&self, token: &str) {
        self.state().connections.remove(token);
    }

    /// The next `times` answers of an endpoint.
    pub(crate) fn next(&self, endpoint: Endpoint, times: usize, odd: Odd) {
        self.state().odd.entry(endpoint).or_default().extend(std::iter::repeat_n(odd, times));
    }

    /// All answers of an endpoint from now on; `None`: as usual.
    pub(crate) fn always(&self, endpoint: Endpoint, odd: Option<Odd>) {
        let mut state = self.state();
        match odd {
            Some(odd) => drop(state.always.insert(endpoint, odd)),
            None => drop(state.always.remove(&endpoint)),
        }
    }

    /// Everything answers like that from now on; `None`: as usual.
    pub(crate) fn all_always(&self, odd: Option<&Odd>) {
        for endpoint in [Endpoint::Login, Endpoint::List, Endpoint::Connection, Endpoint::Key] {
            self.always(endpoint, odd.cloned());
        }
    }

    /// Requests to an endpoint wait at a gate from now on.
    pub(crate) fn gate(&self, endpoint: Endpoint) -> Gate {
        let gate = Gate { arrived: Arc::new(Semaphore::new(0)), open: Arc::new(Semaphore::new(0)) };
        self.state().gates.insert(endpoint, gate.clone());
        gate
    }

    /// How often an endpoint was asked so far.
    pub(crate) fn asked(&self, endpoint: Endpoint) -> usize {
        self.state().asked.get(&endpoint).copied().unwrap_or_default()
    }

    /// How often it was asked for anything.
    pub(crate) fn asked_in_all(&self) -> usize {
        self.state().asked.values().sum()
    }

    /// Another program logs in with the same secret.
    pub(crate) fn steal_session(&self) {
        self.state().session = Some("another program's".to_owned());
    }
}

async fn serve(socket: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = socket.accept().await {
        tokio::spawn(answer(stream, state.clone()));
    }
}

/// Reads one request, answers it, and closes.
async fn answer(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let Some(request) = read(&mut stream).await else { return };
    let Some(endpoint) = request.endpoint() else {
        return write(&mut stream, 404, "", "{}", false).await;
    };
    let (usual, odd, gate) = {
        let mut state = state.lock().unwrap();
        *state.asked.entry(endpoint).or_default() += 1;
        state.traces.push(request.header("x-client-trace-id"));
        let next = state.odd.get_mut(&endpoint).and_then(VecDeque::pop_front);
        let odd = next.or_else(|| state.always.get(&endpoint).cloned());
        let usual =
            if odd.is_none() || matches!(odd, Some(Odd::Cut)) { Some(state.usual(endpoint, &request)) } else { None };
        (usual, odd, state.gates.get(&endpoint).cloned())
    };
    if let Some(gate) = gate {
        gate.arrived.add_permits(1);
        gate.open.acquire().await.unwrap().forget();
    }
    let (status, body) = usual.unwrap_or((200, String::new()));
    match odd {
        None => write(&mut stream, status, "", &body, false).await,
        Some(Odd::Cut) => write(&mut stream, status, "", &body, true).await,
        Some(Odd::Status(status)) => write(&mut stream, status, "", "{}", false).await,
        Some(Odd::After(status, seconds)) => {
            write(&mut stream, status, &format!("Retry-After: {seconds}\r\n"), "{}", false).await;
        }
        Some(Odd::Body(body)) => write(&mut stream, 200, "", &body, false).await,
        Some(Odd::Nothing) => {}
        Some(Odd::Silence) => std::future::pending().await,
    }
}

impl State {
    fn usual(&mut self, endpoint: Endpoint, request: &Request) -> (u16, String) {
        if endpoint == Endpoint::Login {
            return self.login(request);
        }
        let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned));
        if bearer.is_none() || bearer != self.session {
            return (401, "{}".to_owned());
        }
        let last = request.path.rsplit('/').next().unwrap_or_default();
        let found = match endpoint {
            Endpoint::Login => None,
            Endpoint::List => Some(self.connections.values().chain(&self.strays).cloned().collect()),
            Endpoint::Connection => self.connections.get(last).cloned(),
            Endpoint::Key => last.parse().ok().and_then(|kid: Uuid| self.keys.get(&kid).cloned()),
        };
        found.map_or((404, "{}".to_owned()), |value| (200, value.to_string()))
    }

    fn login(&mut self, request: &Request) -> (u16, String) {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        self.scopes.push(body["scopes"].clone());
        if body["clientId"] != self.client_id.as_str() || body["clientSecret"] != self.secret.as_str() {
            return (401, "{}".to_owned());
        }
        self.logins += 1;
        let token = format!("session-{}", self.logins);
        self.session = Some(token.clone());
        (self.login_status, json!({ "token": token }).to_string())
    }
}

struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    fn header(&self, name: &str) -> Option<String> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    fn endpoint(&self) -> Option<Endpoint> {
        let path = self.path.strip_prefix("/api/v1/")?;
        match (self.method.as_str(), path) {
            ("POST", "auth/login") => Some(Endpoint::Login),
            ("GET", "queries/connections") => Some(Endpoint::List),
            ("GET", path) if path.starts_with("queries/connections/") => Some(Endpoint::Connection),
            ("GET", path) if path.starts_with("webhook_verification/") => Some(Endpoint::Key),
            _ => None,
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ').map(str::to_owned);
    let (method, path) = (first.next()?, first.next()?);
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length =
        headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Request { method, path, headers, body: String::from_utf8(body).ok()? })
}

/// Writes an answer; a cut one promises its whole length and keeps half.
async fn write(stream: &mut TcpStream, status: u16, headers: &str, body: &str, cut: bool) {
    let sent = if cut { &body[..body.len() / 2] } else { body };
    let id = Uuid::new_v4();
    let answer = format!(
        "HTTP/1.1 {status} -\r\nContent-Length: {}\r\nConnection: close\r\nX-Request-ID: {id}\r\n{headers}\r\n{sent}",
        body.len()
    );
    // The client may be gone: that is its own affair.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
