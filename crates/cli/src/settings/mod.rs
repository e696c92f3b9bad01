//! The settings of finlinkd: what can be set, where it comes from, and what each role needs.
//!
//! Layers: defaults, `--config FILE` (TOML), `FINLINKD__SECTION__FIELD`. [`load`] finds every key that is unknown or does
//! not fit, [`Settings::problems_for`] everything that is missing or contradictory. Each crate owns the keys of its section.
//! This is the only module that reads the environment.

mod bounds;
mod effective;
mod fit;
mod load;
mod problem;
mod secret;
mod validate;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use events::AppName;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use load::{PREFIX, Sources, load};
pub use problem::{Key, Problem, Problems};
pub use secret::{MASK, Secret};
pub use validate::Role;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Where Finlink's webhooks come in; the public one.
    pub listen: SocketAddr,
    /// The user's API: connections and events.
    pub api_listen: SocketAddr,
    /// Metrics and health.
    pub admin_listen: SocketAddr,
    /// Keys for ingress processes elsewhere.
    pub internal_listen: SocketAddr,
    /// The folder of the queue and the store.
    pub data_dir: PathBuf,
    /// How long stopping may take before the process gives up waiting; the ingress' grace is part of it.
    #[serde(with = "humantime_serde")]
    pub shutdown_deadline: Duration,
    /// The Finlink apps by the names that their webhook paths have.
    pub apps: BTreeMap<AppName, App>,
    /// The queue between ingress and consumer.
    pub queue: Queue,
    /// The store.
    pub store: Store,
    /// How Finlink is talked to.
    pub upstream: reconciler::Settings,
    /// Access to the user's API.
    pub api: Access,
    /// Access to the internal listener.
    pub internal: Access,
    /// How webhooks are verified.
    pub verification: Verification,
    /// When a connection is looked at again.
    pub schedule: connections::Schedule,
    /// The rules inside the store's transactions.
    pub rules: store::Rules,
    /// The receiver.
    pub ingress: ingress::Settings,
    /// From the queue into the store.
    pub consumer: consumer::Settings,
    /// Events and the user's API.
    pub feed: feed::Settings,
    /// Limits of every HTTP listener.
    pub http: listener::Limits,
    /// Logs.
    pub log: Log,
}

impl Default for Settings {
    fn default() -> Self {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            listen: loopback(8080),
            api_listen: loopback(8081),
            admin_listen: loopback(9464),
            internal_listen: loopback(9465),
            data_dir: PathBuf::from("./data"),
            shutdown_deadline: Duration::from_secs(30),
            apps: BTreeMap::new(),
            queue: Queue::default(),
            store: Store::default(),
            upstream: reconciler::Settings::default(),
            api: Access::default(),
            internal: Access::default(),
            verification: Verification::default(),
            schedule: connections::Schedule::default(),
            rules: store::Rules::default(),
            ingress: ingress::Settings::default(),
            consumer: consumer::Settings::default(),
            feed: feed::Settings::default(),
            http: listener::Limits::default(),
            log: Log::default(),
        }
    }
}

/// One app of Finlink (section `apps.<name>`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct App {
    /// The app's client id.
    pub client_id: Option<String>,
    /// A secret of the app's own for finlinkd: a login with the same secret elsewhere ends our session.
    pub client_secret: Option<Secret>,
    /// A file with the secret, read again at each login.
    pub client_secret_file: Option<PathBuf>,
}

/// Section `queue`: the engine, and what every engine is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Queue {
    /// `embedded:`.
    pub url: String,
    /// The rest.
    #[serde(flatten)]
    pub engine: queue::Settings,
}

impl Default for Queue {
    fn default() -> Self {
        Self { url: "embedded:".to_owned(), engine: queue::Settings::default() }
    }
}

/// Section `store`: the engine and its schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Store {
    /// `sqlite:`.
    pub url: String,
    /// What to do about an older schema.
    pub migrate: store::MigrateMode,
}

impl Default for Store {
    fn default() -> Self {
        Self { url: "sqlite:".to_owned(), migrate: store::MigrateMode::Auto }
    }
}

/// Sections `api` and `internal`: who may ask.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Access {
    /// The bearer token to be shown; none is needed on a loopback address.
    pub token: Option<Secret>,
    /// A file with the token, read at start.
    pub token_file: Option<PathBuf>,
}

impl Access {
    /// The token, read from its file where it is in one. The error is a sentence that names the file.
    pub fn resolve(&self) -> Result<Option<SecretString>, String> {
        match (&self.token, &self.token_file) {
            (_, Some(path)) => secret::read_file(path).map(Some),
            (token, None) => Ok(token.as_ref().map(Secret::to_secret_string)),
        }
    }
}

/// Section `verification`: whether, and how strictly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Verification {
    /// `enforce`, or `off`: then anyone who finds the URL can make us ask Finlink.
    pub mode: verification::Mode,
    /// The rest.
    #[serde(flatten)]
    pub rules: verification::Rules,
}

impl Default for Verification {
    fn default() -> Self {
        Self { mode: verification::Mode::Enforce, rules: verification::Rules::default() }
    }
}

/// Section `log`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Log {
    /// One line of text, or one JSON object, per record.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or per part, such as `info,reconciler=debug`.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// How a log record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

#[cfg(test)]
mod tests;
