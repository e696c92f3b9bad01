//! Settings of the RabbitMQ engine (section `rabbitmq`). The addresses hold passwords and are passed beside them.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// What the engine is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How long a connection may take to open, its topology checked and its channels open.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// The first pause between two tries to connect; doubles ...
    #[serde(with = "humantime_serde")]
    pub reconnect_after_min: Duration,
    /// ... up to this.
    #[serde(with = "humantime_serde")]
    pub reconnect_after_max: Duration,
    /// Connections that publish, each used by one task: one for everyone, and one for each worker thread of the HTTP server
    /// up to this number; more workers use the one for everyone.
    pub lanes_max: usize,
    /// Messages published and not confirmed, over all lanes; more wait.
    pub in_flight_max: usize,
    /// Their bytes; more wait.
    pub in_flight_bytes_max: usize,
    /// A confirm that takes longer leaves its connection behind: everything on it has an unknown outcome. Where the broker
    /// blocks publishers the connection stays, and only the outcome is unknown.
    #[serde(with = "humantime_serde")]
    pub confirm_abandoned_after: Duration,
    /// A queue that was declared for the first time is not used for so long: until then the broker may not survive its own
    /// death with it.
    #[serde(with = "humantime_serde")]
    pub new_queue_settles_for: Duration,
    /// Messages sent to a consumer ahead of its acknowledgements.
    pub prefetch: u16,
    /// The most that the queue may hold, in bytes of bodies; more is refused. Part of the queue's declaration.
    pub queue_bytes_max: u64,
    /// The same for the queue of dead letters.
    pub dead_letters_bytes_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            reconnect_after_min: Duration::from_millis(250),
            reconnect_after_max: Duration::from_secs(15),
            lanes_max: 8,
            in_flight_max: 8192,
            in_flight_bytes_max: 64 * 1024 * 1024,
            confirm_abandoned_after: Duration::from_secs(15),
            new_queue_settles_for: Duration::from_secs(3),
            prefetch: 2000,
            queue_bytes_max: 10 * 1024 * 1024 * 1024,
            dead_letters_bytes_max: 1024 * 1024 * 1024,
        }
    }
}

/// Where the brokers are: `amqp://` or `amqps://` addresses with user, password and virtual host.
#[derive(Debug, Clone)]
pub enum Addresses {
    /// As given.
    Given(Vec<SecretString>),
    /// One a line or comma, in a file that is read again at each connection.
    File(PathBuf),
}

impl Addresses {
    /// All addresses, in the order in which they are tried.
    pub(super) fn read(&self) -> Result<Vec<SecretString>, String> {
        let addresses = match self {
            Self::Given(addresses) => addresses.clone(),
            Self::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    format!("the file of broker addresses {} cannot be read: {error}", path.display())
                })?;
                let addresses = text.split([',', '\n']).map(str::trim).filter(|address| !address.is_empty());
                addresses.map(|address| SecretString::from(address.to_owned())).collect()
            }
        };
        if addresses.is_empty() { Err("no broker address is given".to_owned()) } else { Ok(addresses) }
    }
}

/// The address without its password, for messages.
pub(super) fn shown(address: &SecretString) -> String {
    let address = address.expose_secret();
    match (address.split_once("://"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => {
            format!("{scheme}://{}", place.split('?').next().unwrap_or(place))
        }
        _ => address.split('?').next().unwrap_or(address).to_owned(),
    }
}
