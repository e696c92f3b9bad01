//! Connections: opening one, making it ours, and what a person can do where that fails.

use std::time::Duration;

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use deadpool_postgres::ClientWrapper;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, Error};

use super::address::{Address, database, shown, user};
use super::settings::Settings;
use super::{fault, migrations, tls};
use crate::{MigrateMode, StoreError};
use migrations::Asker;

/// A network that swallows everything is noticed after this time, also where nobody waits for an answer.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Opens connections for the pool.
#[derive(Debug)]
pub(super) struct Dialer {
    address: Address,
    name: String,
    settings: Settings,
    migrate: MigrateMode,
}

impl Dialer {
    pub(super) fn new(address: Address, name: &str, settings: Settings, migrate: MigrateMode) -> Self {
        Self { address, name: name.to_owned(), settings, migrate }
    }

    /// A connection with nothing set.
    async fn dial(&self) -> Result<ClientWrapper, StoreError> {
        let mut config = self.address.read()?;
        config.application_name(&self.name).tcp_user_timeout(SILENCE_MAX).keepalives_idle(SILENCE_MAX);
        let connector = tls::connector(config.get_ssl_mode()).map_err(|error| {
            StoreError::Unavailable(format!("no encrypted connection to {}: {error}", shown(&config)))
        })?;
        let limit = self.settings.connect_timeout;
        let dialled = tokio::time::timeout(limit, config.connect(connector)).await;
        let (client, connection) = dialled
            .map_err(|_| {
                let (server, setting) = (shown(&config), self.address.setting());
                StoreError::Unavailable(format!("no answer from {server} within {limit:?}: check {setting}"))
            })?
            .map_err(|error| StoreError::Unavailable(explain(&config, &self.address, &error)))?;
        // Whoever uses the connection is told of its end as well.
        let connection = tokio::spawn(async move { drop(connection.await) });
        Ok(ClientWrapper::new(client, connection))
    }

    /// A connection of ours; the schema may be any.
    async fn open(&self) -> Result<ClientWrapper, StoreError> {
        let client = self.dial().await?;
        client.batch_execute(&self.session()).await.map_err(|error| StoreError::Unavailable(fault::text(&error)))?;
        Ok(client)
    }

    /// Migrates on a connection of its own, because a person said so.
    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        migrations::ensure(&self.open().await?, MigrateMode::Auto, Asker::Person).await
    }

    /// What every statement on a connection of ours may rely on.
    fn session(&self) -> String {
        let Settings { statement_timeout, lock_timeout, idle_timeout, .. } = &self.settings;
        format!(
            "SET synchronous_commit = on; SET default_transaction_isolation = 'read committed';
             SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}",
            statement_timeout.as_millis(),
            lock_timeout.as_millis(),
            idle_timeout.as_millis(),
        )
    }
}

impl Manager for Dialer {
    type Type = ClientWrapper;
    type Error = StoreError;

    async fn create(&self) -> Result<ClientWrapper, StoreError> {
        let client = self.open().await?;
        // Each connection looks for itself: another process may have migrated the schema since the last one.
        migrations::ensure(&client, self.migrate, Asker::Process).await?;
        Ok(client)
    }

    async fn recycle(&self, client: &mut ClientWrapper, _: &Metrics) -> RecycleResult<StoreError> {
        if client.is_closed() { Err(RecycleError::message("the connection is closed")) } else { Ok(()) }
    }
}

/// What a person can do about the usual refusals.
fn explain(config: &Config, address: &Address, error: &Error) -> String {
    let setting = address.setting();
    let (server, user, database) = (shown(config), user(config), database(config));
    let said = fault::text(error);
    match error.code() {
        Some(code) if *code == SqlState::INVALID_PASSWORD || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            format!("{server} refused the user {user} or its password: check {setting} ({said})")
        }
        Some(code) if *code == SqlState::INVALID_CATALOG_NAME => {
            format!("{server} has no database {database}: create it, or check {setting} ({said})")
        }
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
            format!("{user} may not use the database {database} on {server}: grant it CONNECT ({said})")
        }
        Some(code) if *code == SqlState::TOO_MANY_CONNECTIONS => {
            format!("{server} has no connection left: raise its max_connections, or run fewer processes ({said})")
        }
        Some(_) => format!("no connection to {server}: {said}"),
        None => format!("no connection to {server}, which {setting} names: {said}"),
    }
}
