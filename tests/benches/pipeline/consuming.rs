//! The consumer that is measured, before PostgreSQL: in a process of its own, with the settings that it has in earnest.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use consumer::{Consumer, Metrics};
use prometheus::Registry;
use queue::embedded::EmbeddedQueue;
use queue::rabbitmq::{self, Addresses, RabbitMq};
use secrecy::SecretString;
use store::postgres::{self, Address, PostgresStore};
use store::{MigrateMode, Rules};
use tokio_util::sync::CancellationToken;

use crate::serve::BROKER_FILE;

/// The address of the database, in the consumer's folder.
pub(crate) const STORE_FILE: &str = "store";

/// Messages of a batch, in the consumer's folder.
pub(crate) const BATCH_FILE: &str = "batch";

/// Consumes until killed, from RabbitMQ where the folder names one, else from the queue in the folder. Says so before.
#[allow(clippy::print_stdout, reason = "whoever started it waits for the line")]
pub(crate) async fn consume(folder: &Path) -> Result<()> {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).with_context(|| format!("{name} is missing"));
    let store = store(&read(STORE_FILE)?)?;
    store.ready().await?;
    let broker = read(BROKER_FILE)?;
    let subscription = if broker.is_empty() {
        EmbeddedQueue::open(&queue::Settings { folder: folder.to_owned(), ..queue::Settings::default() })?.subscribe()
    } else {
        let addresses = Addresses::Given(vec![SecretString::from(broker)]);
        RabbitMq::new(addresses, rabbitmq::Settings::default(), "bench").subscribe().0
    };
    let settings = consumer::Settings { batch_messages_max: read(BATCH_FILE)?.parse()?, ..Default::default() };
    let consumer = Consumer::new(subscription, Arc::new(store), settings, Metrics::register(&Registry::new())?);
    println!("ready");
    Ok(consumer.run(CancellationToken::new()).await?)
}

/// A store at this address.
pub(crate) fn store(url: &str) -> Result<PostgresStore> {
    let address = Address::Given(SecretString::from(url.to_owned()));
    let settings = store::Settings { folder: "unused".into(), migrate: MigrateMode::Auto, rules: Rules::default() };
    Ok(PostgresStore::connect(address, "bench", &settings, &postgres::Settings::default())?)
}
