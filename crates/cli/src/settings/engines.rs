//! Which engines `queue.url` and `store.url` name.

use queue::rabbitmq::Addresses;
use secrecy::SecretString;
use store::postgres::Address;

use super::{Problem, Queue, Store, secret};

/// `queue.url` of the embedded engine.
pub(super) const EMBEDDED: &str = "embedded:";
/// `store.url` of the embedded engine.
pub(super) const SQLITE: &str = "sqlite:";

/// The engine of the queue.
#[derive(Debug, Clone)]
pub enum QueueEngine {
    /// A SQLite file in the data folder.
    Embedded,
    /// RabbitMQ.
    RabbitMq(Addresses),
}

/// The engine of the store.
#[derive(Debug, Clone)]
pub enum StoreEngine {
    /// A SQLite file in the data folder.
    Sqlite,
    /// PostgreSQL.
    Postgres(Address),
}

impl Queue {
    /// The engine that is asked for.
    pub fn engine(&self) -> Result<QueueEngine, Problem> {
        if let Some(path) = &self.url_file {
            if self.url != EMBEDDED {
                return Err(Problem::with("queue.url", "queue.url_file is set too; keep one of the two"));
            }
            secret::read_file(path).map_err(|why| Problem::with("queue.url_file", why))?;
            return Ok(QueueEngine::RabbitMq(Addresses::File(path.clone())));
        }
        if self.url == EMBEDDED {
            return Ok(QueueEngine::Embedded);
        }
        let addresses: Vec<&str> = self.url.split(',').map(str::trim).collect();
        match addresses.iter().find(|address| !(address.starts_with("amqp://") || address.starts_with("amqps://"))) {
            None => {
                Ok(QueueEngine::RabbitMq(Addresses::Given(addresses.into_iter().map(SecretString::from).collect())))
            }
            Some(other) => {
                let shown = secret::mask_url(other);
                let what = format!(
                    "{shown:?} names no queue; expected {EMBEDDED:?} or an address like \"amqp://user:password@host\""
                );
                Err(Problem::with("queue.url", what))
            }
        }
    }
}

impl Store {
    /// The engine that is asked for.
    pub fn engine(&self) -> Result<StoreEngine, Problem> {
        if let Some(path) = &self.url_file {
            if self.url != SQLITE {
                return Err(Problem::with("store.url", "store.url_file is set too; keep one of the two"));
            }
            secret::read_file(path).map_err(|why| Problem::with("store.url_file", why))?;
            return Ok(StoreEngine::Postgres(Address::File(path.clone())));
        }
        if self.url == SQLITE {
            return Ok(StoreEngine::Sqlite);
        }
        if self.url.starts_with("postgres://") || self.url.starts_with("postgresql://") {
            return Ok(StoreEngine::Postgres(Address::Given(SecretString::from(self.url.as_str()))));
        }
        let shown = secret::mask_url(&self.url);
        let what = format!(
            "{shown:?} names no store; expected {SQLITE:?} or an address like \"postgres://user:password@host/database\""
        );
        Err(Problem::with("store.url", what))
    }
}
