//! The clustered engine: PostgreSQL 15 to 17, shared by any number of processes.
//!
//! Promises: whatever a port's method does is one transaction, run to its end in a task of its own: a caller that goes away
//! leaves none open. `Ok` is answered after the commit (`synchronous_commit = on`). A database that is away, at the start or
//! later, is [`StoreError::Unavailable`] until it is back, and so is whatever else may be put right without this process: a
//! wrong password, a database that is not there yet. A schema that does not fit is [`StoreError::Incompatible`].
//!
//! Locks are taken in one order, so that transactions wait for each other and do not deadlock (R12): the right to record,
//! leases, bodies, deliveries, keys, refreshes (an app's tokens, then the app itself), connections, what is only appended to,
//! counters, apps; in each table in key order. Here is SQL and the mapping of rows; what hints, reads and sums mean is in the
//! modules that every engine shares.

mod address;
mod books;
mod claims;
mod clock;
mod columns;
mod deliveries;
mod fault;
mod feed;
mod hints;
mod inspect;
mod intake;
mod keys;
mod known;
mod lease;
mod letters;
mod link;
mod migrations;
mod observe;
mod operator;
mod outbox;
mod pending;
mod plan;
mod purging;
mod refresh;
mod relay;
mod session;
mod settings;
mod tally;
mod tls;
mod together;

use std::sync::Arc;

use deadpool::managed::Pool;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use address::Address;
pub use settings::Settings;

use crate::{Rules, StoreError};
use fault::Fault;
use link::Dialer;
use session::Session;

/// Sees what was committed before each statement; rows that matter are locked.
const WRITE: &str = "BEGIN";

/// Sees one state of the whole database.
const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// What a transaction does: a function of its arguments, so that it can be done again.
type Job<A, T> = for<'s> fn(&'s Session, &'s A) -> BoxFuture<'s, Result<T, Fault>>;

/// The store in a PostgreSQL database. Clones share the connections. Must be used on the runtime it was made on.
#[derive(Clone)]
pub struct PostgresStore {
    pool: Pool<Dialer>,
    rules: Arc<Rules>,
    settings: Arc<Settings>,
    transactions: TaskTracker,
    closed: CancellationToken,
}

impl PostgresStore {
    /// A store that connects when it is first used, and again whenever it has to. `name` is shown in `pg_stat_activity`.
    /// Fails only where `address` is given and is none; whether the database is there and fits, [`Self::ready`] tells.
    pub fn connect(
        address: Address,
        name: &str,
        settings: &crate::Settings,
        postgres: &Settings,
    ) -> Result<Self, StoreError> {
        if matches!(address, Address::Given(_)) {
            address.read()?;
        }
        let dialer = Dialer::new(address, name, postgres.clone(), settings.migrate);
        let pool = Pool::builder(dialer)
            .max_size(postgres.connections_max.max(1))
            .wait_timeout(Some(postgres.answer_timeout))
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self {
            pool,
            rules: Arc::new(settings.rules.clone()),
            settings: Arc::new(postgres.clone()),
            transactions: TaskTracker::new(),
            closed: CancellationToken::new(),
        })
    }

    /// Connects where it is not connected, migrates the schema where the settings say so, and says what is wrong.
    /// [`StoreError::Unavailable`] may go by itself, and every other call says it as well: a process may start without.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.write((), |_, ()| Box::pin(async { Ok(()) })).await
    }

    /// Migrates the schema, whatever the settings say and however an earlier try failed, for a person: waits its turn, and
    /// for as long as the steps take.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.pool.manager().migrate().await
    }

    /// Ends it for every clone, once the transactions that run have ended: each does within the settings' `answer_timeout`.
    /// One that has no connection yet never begins, and a step of the schema that is being made is left to the server.
    pub async fn close(self) {
        self.closed.cancel();
        self.pool.close();
        self.transactions.close();
        self.transactions.wait().await;
    }

    /// One transaction, committed when it resolves.
    async fn write<A, T>(&self, arguments: A, job: Job<A, T>) -> Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.transact(WRITE, arguments, job).await.map_err(fault::told)
    }

    /// One snapshot of what is committed.
    async fn read<A, T>(&self, arguments: A, job: Job<A, T>) -> Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.transact(READ, arguments, job).await.map_err(fault::told)
    }

    /// A transaction in a task of its own, which does not end with its caller.
    async fn transact<A, T>(&self, begin: &'static str, arguments: A, job: Job<A, T>) -> Result<T, Fault>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let (pool, closed, limit) = (self.pool.clone(), self.closed.clone(), self.settings.answer_timeout);
        let transaction = async move { session::transact(&pool, &closed, limit, begin, &arguments, job).await };
        let task = self.transactions.spawn(transaction);
        task.await.unwrap_or_else(|_| Err(StoreError::Unavailable("a transaction ended unfinished".to_owned()).into()))
    }
}
