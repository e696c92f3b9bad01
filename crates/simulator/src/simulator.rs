//! The handle of a running simulation: what tests, `finlinkd demo` and `finlinkd simulate` hold.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use bytes::Bytes;
use jiff::Timestamp;
use reqwest::Url;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::api::session::{Scope, Sessions};
use crate::api::{self, Api, faults::FaultState};
use crate::keys::{Jwk, KeyRing, NoKey};
use crate::sender::forgery::{self, Forgery};
use crate::sender::{Ended, Sender, Shown, post};
use crate::settings::{Faults, InvalidSetting, Settings};
use crate::shared::Shared;
use crate::tally::{Asked, Tally};
use crate::world::World;
use crate::world::change::Kind;
use crate::world::script::Script;

/// A stand-in for Finlink: its API is served from the start, its world moves while [`Simulator::run`] runs.
///
/// Dropping it leaves the API to the runtime; [`Simulator::stop`] ends it.
pub struct Simulator {
    settings: Settings,
    address: SocketAddr,
    api: Api,
    shown: Shown,
    target: Option<u64>,
    sender: Mutex<Sender>,
    server: ServerHandle,
    serving: JoinHandle<std::io::Result<()>>,
}

/// Why a simulation can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is out of its bounds.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// There is no key to sign with.
    #[error(transparent)]
    Key(#[from] NoKey),
    /// The listener can't be served.
    #[error("the simulator can't serve its API: {0}")]
    Listener(#[from] std::io::Error),
}

/// Why a run can't start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It is not a URL.
    #[error("the webhook URL `{0}` must be an absolute http or https URL, such as http://127.0.0.1:8080/webhooks/demo")]
    Url(String),
    /// The HTTP client can't be made.
    #[error("the simulator can't send webhooks: {0}")]
    Client(#[from] reqwest::Error),
    /// Another run of this simulation has not ended.
    #[error("this simulation is running already: stop that run first")]
    Running,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// How many different webhooks the run sends; `None` in live mode.
    pub target: Option<u64>,
    /// How many of them were sent.
    pub sent: u64,
    /// How many of them were answered with 200.
    pub acknowledged: u64,
    /// How many requests were answered with something else.
    pub refused: u64,
    /// How many webhooks wait to be sent, sent again or answered.
    pub waiting: usize,
    /// How many changes happened.
    pub changes: u64,
}

/// How things truly are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Truth {
    /// Every connection that queries show, as the API's own JSON, sorted by token.
    pub connections: Vec<Value>,
    /// The tokens of deleted connections, sorted.
    pub deleted: Vec<String>,
    /// For each connection, the number of changes that Finlink sends a webhook for and of which none was acknowledged: lost
    /// by plan or given up. The receiver had to find these out by itself.
    pub unheard: BTreeMap<String, u64>,
}

impl Simulator {
    /// Serves the API on a listener. Must be called inside a tokio runtime.
    pub fn start(settings: Settings, listener: TcpListener) -> Result<Self, StartError> {
        settings.check()?;
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let (script, existing) = Script::new(&settings);
        let base = settings.base_time_unix_ms.unwrap_or_else(now_unix_ms);
        let world = Shared::new(World::new(&settings, existing, base));
        let keys = KeyRing::generate()?;
        let api = Api {
            world: world.clone(),
            sessions: Shared::new(Sessions::new(settings.seed, &settings.app, settings.session_lifetime)),
            keys: keys.clone(),
            faults: FaultState::new(&settings),
            asked: Shared::default(),
        };
        let shown =
            Shown { world, keys, tally: Shared::default(), heard: Shared::default(), waiting: Shared::default() };
        let server = api::serve(&api, listener)?;
        Ok(Self {
            address,
            api,
            target: script.target(),
            sender: Mutex::new(Sender::new(settings.clone(), script, shown.clone())),
            shown,
            settings,
            server: server.handle(),
            serving: tokio::spawn(server),
        })
    }

    /// Serves the API on a free port of the loopback interface.
    pub fn start_on_loopback(settings: Settings) -> Result<Self, StartError> {
        Self::start(settings, TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?)
    }

    /// Where the API listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The API's base URL, without a path and without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Client id and secret.
    #[must_use]
    pub fn credentials(&self) -> (String, String) {
        self.api.sessions.lock().credentials(0)
    }

    /// The client id and another secret of the same app: its sessions and those of the first leave each other alone.
    #[must_use]
    pub fn other_credentials(&self) -> (String, String) {
        self.api.sessions.lock().credentials(1)
    }

    /// Lets the world change and sends webhooks to `url`, until the world is quiet and every webhook was acknowledged or given
    /// up, or until `stop`. After a stop, another run carries on, to another URL if need be.
    pub async fn run(&self, url: &str, stop: &CancellationToken) -> Result<Ended, RunError> {
        let mut sender = self.sender.try_lock().map_err(|_| RunError::Running)?;
        let parsed = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = parsed.ok_or_else(|| RunError::Url(url.to_owned()))?;
        let client = post::client(&self.settings, &url)?;
        self.begin(sender.last_at());
        Ok(sender.run(client, url, stop).await)
    }

    /// Lets so many more changes of the script happen at once, without their webhooks; returns how many there were.
    /// For tests of the API alone.
    pub async fn advance(&self, changes: usize) -> usize {
        let mut sender = self.sender.lock().await;
        (0..changes).take_while(|_| sender.step_untold()).count()
    }

    /// Lets something happen to one connection now, by hand and without a webhook; false where it does not fit its state.
    pub fn make(&self, token: &str, kind: Kind) -> bool {
        let mut world = self.shown.world.lock();
        let now = world.now();
        world.find(token).is_some_and(|index| world.apply(index, now, kind).is_some())
    }

    /// Links a connection now, by hand, and exchanges it; returns its token. Its first import runs until `make` ends it.
    pub fn create(&self) -> String {
        let mut world = self.shown.world.lock();
        let now = world.now();
        let (index, change) = world.create(now);
        world.apply(index, now, Kind::Exchanged);
        change.token
    }

    /// How far the run is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let changes = self.shown.world.lock().changes();
        let waiting = *self.shown.waiting.lock();
        let tally = self.shown.tally.lock();
        Progress {
            target: self.target,
            sent: tally.sent,
            acknowledged: tally.acknowledged,
            refused: tally.refused_total(),
            waiting,
            changes,
        }
    }

    /// How things truly are now. Once a run ended [`Ended::Quiet`], they stay so.
    #[must_use]
    pub fn truth(&self) -> Truth {
        let world = self.shown.world.lock();
        let (connections, deleted) = (world.truth(), world.deleted());
        drop(world);
        Truth { connections, deleted, unheard: self.shown.heard.lock().unheard() }
    }

    /// What was counted so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let changes = self.shown.world.lock().changes();
        let asked = self.asked();
        Tally { changes, asked, ..self.shown.tally.lock().clone() }
    }

    /// What the API was asked so far.
    #[must_use]
    pub fn asked(&self) -> Asked {
        self.api.asked.lock().clone()
    }

    /// Ends the API. Requests being answered get a second.
    pub async fn stop(self) {
        self.server.stop(true).await;
        // How the server ended tells nothing more: it was told to.
        drop(self.serving.await);
    }
}

/// What tests do to it while it runs.
impl Simulator {
    /// From now on this goes wrong in the API.
    pub fn set_faults(&self, faults: Faults) {
        self.api.faults.set(faults);
    }

    /// What goes wrong in the API.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.api.faults.faults()
    }

    /// From now on every request to the API is answered with 503, or no longer.
    pub fn outage(&self, on: bool) {
        self.api.faults.outage(on);
    }

    /// Another program logs in with the same secret: the session there was is revoked. Returns the new token.
    pub fn steal_session(&self) -> String {
        let mut sessions = self.api.sessions.lock();
        let (client_id, secret) = sessions.credentials(0);
        // These are the app's own credentials.
        sessions.login(&client_id, &secret, Some(vec![Scope::Read])).unwrap_or_default()
    }

    /// A new key signs from now on; returns its id. Old keys stay served.
    pub fn rotate_keys(&self) -> Result<Uuid, NoKey> {
        self.shown.keys.rotate()
    }

    /// The key endpoint answers 404 for this key from now on; false where it did already.
    pub fn retire_key(&self, kid: Uuid) -> bool {
        self.shown.keys.retire(kid)
    }

    /// The id and the public half of the key that signs.
    #[must_use]
    pub fn key(&self) -> (Uuid, Jwk) {
        let key = self.shown.keys.current();
        (key.kid(), key.jwk().clone())
    }

    /// A `vumi-verification` header for a body, bound to it or not.
    #[must_use]
    pub fn sign(&self, body: &[u8], bind: bool) -> String {
        self.shown.keys.sign(body, bind)
    }

    /// A forged `vumi-verification` header for a body; `None` for the kind that has none.
    #[must_use]
    pub fn forge(&self, forgery: Forgery, body: &Bytes) -> Option<String> {
        forgery::header(forgery, &self.shown.keys, body)
    }

    /// Anchors the run's time, of which `at` is over, to the clocks.
    fn begin(&self, at: Duration) {
        let monotonic = Instant::now().checked_sub(at).unwrap_or_else(Instant::now);
        let before = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
        let base = self.settings.base_time_unix_ms.unwrap_or_else(|| now_unix_ms().saturating_sub(before));
        self.shown.world.lock().set_epoch(base, monotonic);
        self.api.faults.begin_run(monotonic, self.settings.duration);
    }
}

fn now_unix_ms() -> i64 {
    Timestamp::now().as_millisecond()
}
