//! Where the database is. The address holds a password: nothing here shows it.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::StoreError;

/// A `postgres://` address with user, password, host and database. Of its parameters, `sslmode` is `disable`, `prefer` (as
/// where it is left out: encrypted where the server can, which proves nothing about the server) or `require` (encrypted, and
/// the certificate is verified as in a browser; a private authority belongs in the system's store or in `SSL_CERT_FILE`).
#[derive(Debug, Clone)]
pub enum Address {
    /// As given.
    Given(SecretString),
    /// The only line of a file that is read again at each connection.
    File(PathBuf),
}

impl Address {
    /// The setting that it comes from, for messages.
    pub(super) fn setting(&self) -> String {
        match self {
            Self::Given(_) => "store.url".to_owned(),
            Self::File(path) => format!("store.url_file ({})", path.display()),
        }
    }

    /// Which database it is, without user and password, for people.
    pub fn shown(&self) -> Result<String, StoreError> {
        let config = self.read()?;
        Ok(format!("the database {} on {}", database(&config), shown(&config)))
    }

    /// The address of the moment.
    pub(super) fn read(&self) -> Result<Config, StoreError> {
        match self {
            Self::Given(address) => parse(address).map_err(|problem| {
                let setting = self.setting();
                StoreError::Incompatible(format!("{setting} holds no address of a database: {problem}"))
            }),
            Self::File(path) => {
                let setting = self.setting();
                // What is wrong with a file may be put right while this process waits.
                let text = std::fs::read_to_string(path)
                    .map_err(|error| StoreError::Unavailable(format!("{setting} cannot be read: {error}")))?;
                parse(&SecretString::from(text.trim())).map_err(|problem| {
                    StoreError::Unavailable(format!("{setting} holds no address of a database: {problem}"))
                })
            }
        }
    }
}

fn parse(address: &SecretString) -> Result<Config, String> {
    const EXPECTED: &str = "expected postgres://user:password@host:port/database";
    let address = address.expose_secret();
    if !(address.starts_with("postgres://") || address.starts_with("postgresql://")) {
        return Err(EXPECTED.to_owned());
    }
    let config: Config = address.parse().map_err(|error| format!("{error}; {EXPECTED}"))?;
    if config.get_hosts().is_empty() {
        return Err(format!("it names no host; {EXPECTED}"));
    }
    Ok(config)
}

/// The address without its password, for messages.
pub(super) fn shown(config: &Config) -> String {
    let hosts = config.get_hosts().iter().enumerate().map(|(place, host)| {
        let port = config.get_ports().get(place).or(config.get_ports().first()).copied().unwrap_or(5432);
        match host {
            Host::Tcp(name) => format!("{name}:{port}"),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        }
    });
    hosts.collect::<Vec<_>>().join(",")
}

/// The database that is asked for; its name is that of the user where none is given.
pub(super) fn database(config: &Config) -> &str {
    config.get_dbname().unwrap_or_else(|| user(config))
}

/// The user that is asked for.
pub(super) fn user(config: &Config) -> &str {
    config.get_user().unwrap_or("(the system's user)")
}
