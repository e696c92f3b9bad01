//! One transaction on a connection of its own: its statements, their pipelining, its end, and doing it again after a collision.
//!
//! Promises: a connection goes back to the pool only once PostgreSQL said that its transaction is over. Otherwise it is closed,
//! and PostgreSQL rolls back.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use deadpool::managed::{Object, Pool, PoolError, TimeoutType};
use deadpool_postgres::ClientWrapper;
use futures_util::future::join;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};
use tokio_util::sync::CancellationToken;

use super::Job;
use super::fault::Fault;
use super::link::Dialer;
use crate::StoreError;

/// So often a transaction is tried that others are in the way of.
const ATTEMPTS_MAX: u32 = 6;

/// The pause after the first collision; doubles with each.
const COLLISION_PAUSE: Duration = Duration::from_millis(5);

/// A value of a statement.
pub(super) type Value<'a> = &'a (dyn ToSql + Sync);

/// Runs `job` in a transaction, again where others were in its way.
pub(super) async fn transact<A, T>(
    pool: &Pool<Dialer>,
    closed: &CancellationToken,
    limit: Duration,
    begin: &'static str,
    arguments: &A,
    job: Job<A, T>,
) -> Result<T, Fault> {
    let mut attempt = 1;
    loop {
        // To open one may be to migrate the schema, which takes its time.
        let connection = tokio::select! {
            biased;
            () = closed.cancelled() => Err(PoolError::Closed),
            connection = pool.get() => connection,
        };
        let session = Session::new(connection.map_err(|error| unconnected(error, limit))?);
        let Ok(ended) = tokio::time::timeout(limit, session.run(begin, arguments, job)).await else {
            return Err(StoreError::Obstructed(format!("a transaction took longer than {limit:?}")).into());
        };
        session.give_back(ended.as_ref().err());
        match ended {
            Err(fault) if fault.is_collision() && attempt < ATTEMPTS_MAX => {
                tokio::time::sleep(COLLISION_PAUSE * (1 << attempt)).await;
                attempt += 1;
            }
            ended => return ended,
        }
    }
}

/// Why there is no connection.
fn unconnected(error: PoolError<StoreError>, limit: Duration) -> Fault {
    let reason = match error {
        PoolError::Backend(error) => return error.into(),
        PoolError::Timeout(TimeoutType::Wait) => {
            return StoreError::Obstructed(format!("no connection of this process was free for {limit:?}")).into();
        }
        PoolError::Closed => "it was closed".to_owned(),
        other => other.to_string(),
    };
    StoreError::Unavailable(reason).into()
}

/// A connection with a transaction on it; closed when dropped.
pub(super) struct Session {
    connection: Option<Object<Dialer>>,
    /// COMMIT is on its way: no statement may follow it.
    committing: AtomicBool,
    /// PostgreSQL said that the transaction is over.
    over: AtomicBool,
}

impl Session {
    fn new(connection: Object<Dialer>) -> Self {
        Self { connection: Some(connection), committing: AtomicBool::new(false), over: AtomicBool::new(false) }
    }

    /// Back to the pool, unless anything is left of the transaction or the connection may be what is wrong.
    fn give_back(mut self, fault: Option<&Fault>) {
        if self.over.load(Ordering::Relaxed) && fault.is_none_or(Fault::spares_the_connection) {
            self.connection = None;
        }
    }

    async fn run<A, T>(&self, begin: &str, arguments: &A, job: Job<A, T>) -> Result<T, Fault> {
        // BEGIN goes out first, and the first statement with it.
        let (begun, outcome) = join(self.order(begin), job(self, arguments)).await;
        begun?;
        match outcome {
            Ok(value) => {
                if !self.committing.load(Ordering::Relaxed) {
                    self.order("COMMIT").await?;
                }
                self.over.store(true, Ordering::Relaxed);
                Ok(value)
            }
            Err(fault) => {
                let rolled_back = self.order("ROLLBACK").await;
                self.over.store(rolled_back.is_ok(), Ordering::Relaxed);
                Err(fault)
            }
        }
    }

    /// The rows of a query.
    pub(super) async fn query(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Fault> {
        let statement = self.statement(sql).await?;
        Ok(self.client()?.query(&statement, values).await?)
    }

    /// The only row of a query, where there is one.
    pub(super) async fn first(&self, sql: &str, values: &[Value<'_>]) -> Result<Option<Row>, Fault> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }

    /// How many rows a statement changed.
    pub(super) async fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Fault> {
        let statement = self.statement(sql).await?;
        Ok(self.client()?.execute(&statement, values).await?)
    }

    /// Prepares statements, so that futures of them that are polled together go out together, in the order of the polls.
    pub(super) async fn prepare(&self, statements: &[&str]) -> Result<(), Fault> {
        for sql in statements {
            self.statement(sql).await?;
        }
        Ok(())
    }

    /// Sends the last statements, and COMMIT right behind them. They must have been prepared, and their failure is the only
    /// thing about them that still counts.
    pub(super) async fn commit_with<T>(&self, last: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let mut last = pin!(last);
        // What cannot even be sent must not be followed by COMMIT.
        if let Poll::Ready(ended) = poll_fn(|context| Poll::Ready(last.as_mut().poll(context))).await {
            return ended;
        }
        self.committing.store(true, Ordering::Relaxed);
        let (ended, committed) = join(last, self.order("COMMIT")).await;
        // After a statement that failed, COMMIT only ends what was rolled back.
        let value = ended?;
        committed?;
        Ok(value)
    }

    async fn statement(&self, sql: &str) -> Result<Statement, Fault> {
        let statement = self.client()?.prepare_cached(sql).await?;
        if self.committing.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("a statement came after COMMIT".to_owned()).into());
        }
        Ok(statement)
    }

    /// A statement without values and without an answer.
    async fn order(&self, sql: &str) -> Result<(), Fault> {
        Ok(self.client()?.batch_execute(sql).await?)
    }

    fn client(&self) -> Result<&ClientWrapper, Fault> {
        let gone = || StoreError::Unavailable("the connection was given back".to_owned());
        Ok(self.connection.as_deref().ok_or_else(gone)?)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(Object::take(connection));
        }
    }
}
