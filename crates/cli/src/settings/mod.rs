//! The settings of finlinkd: what can be set, where it comes from, and what each role needs.
//!
//! Layers: defaults, `--config FILE` (TOML), `FINLINKD__SECTION__FIELD`. [`load`] finds every key that is unknown or does
//! not fit, [`Settings::problems_for`] everything that is missing or contradictory. Each crate owns the keys of its section.
//! This is the only module that reads the environment.

mod bounds;
mod effective;
mod engines;
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

pub use engines::{QueueEngine, StoreEngine};
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
    /// RabbitMQ, where `queue.url` names one.
    pub rabbitmq: queue::rabbitmq::Settings,
    /// The spool on local disk for when RabbitMQ is away.
    pub spool: queue::SpoolSettings,
    /// The store.
    pub store: Store,
    /// PostgreSQL, where `store.url` names one.
    pub postgres: store::postgres::Settings,
    /// How Finlink is talked to.
    pub upstream: reconciler::Settings,
    /// For how long what is on record is kept.
    pub retention: reconciler::Retention,
    /// Access to the user's API.
    pub api: Access,
    /// The internal listener: who may ask it, and where an ingress elsewhere asks.
    pub internal: Internal,
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
            rabbitmq: queue::rabbitmq::Settings::default(),
            spool: queue::SpoolSettings::default(),
            store: Store::default(),
            postgres: store::postgres::Settings::default(),
            upstream: reconciler::Settings::default(),
            retention: reconciler::Retention::default(),
            api: Access::default(),
            internal: Internal::default(),
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
    /// `embedded:`, or `amqp://` and `amqps://` addresses with user, password and virtual host, separated by commas.
    pub url: String,
    /// A file with the addresses, read again at each connection.
    pub url_file: Option<PathBuf>,
    /// The rest.
    #[serde(flatten)]
    pub engine: queue::Settings,
}

impl Default for Queue {
    fn default() -> Self {
        Self { url: engines::EMBEDDED.to_owned(), url_file: None, engine: queue::Settings::default() }
    }
}

/// Section `store`: the engine and its schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Store {
    /// `sqlite:`, or a `postgres://` address with user, password and database.
    pub url: String,
    /// A file with the address, read again at each connection.
    pub url_file: Option<PathBuf>,
    /// What to do about an older schema.
    pub migrate: store::MigrateMode,
}

impl Default for Store {
    fn default() -> Self {
        Self { url: engines::SQLITE.to_owned(), url_file: None, migrate: store::MigrateMode::Auto }
    }
}

/// Section `internal`: who may ask for keys, and where an ingress without a reconciler in its process asks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Internal {
    /// The token, for both sides.
    #[serde(flatten)]
    pub access: Access,
    /// The asking side.
    #[serde(flatten)]
    pub client: reconciler::keys_client::Settings,
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
