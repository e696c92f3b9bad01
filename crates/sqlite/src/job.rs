//! One write on its way through the writer thread: what to run, what came of it, whom to tell.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::WriteError;

/// How a job's changes are kept apart from those of the others in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// In a savepoint: whatever it changed is undone when it fails.
    Savepoint,
    /// It changes nothing, or by a single statement, which undoes itself when it fails.
    SingleStatement,
}

/// How a job ended, before anything was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ran {
    /// Its changes are to be kept.
    Done,
    /// It said that it failed.
    Failed,
    /// It panicked.
    Panicked,
}

/// What became of the group's transaction.
pub(crate) type Committed<'a> = Result<(), &'a str>;

/// A job as the writer thread sees it.
pub(crate) trait Job: Send {
    fn isolation(&self) -> Isolation;

    /// Runs it, once.
    fn run(&mut self, connection: &Connection) -> Ran;

    /// Tells its caller, if there still is one.
    fn settle(self: Box<Self>, committed: Committed<'_>);
}

/// A job with its types.
pub(crate) struct TypedJob<T, E, F> {
    isolation: Isolation,
    work: Option<F>,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, WriteError<E>>>,
}

impl<T, E, F> TypedJob<T, E, F> {
    pub(crate) fn new(isolation: Isolation, work: F) -> (Self, oneshot::Receiver<Result<T, WriteError<E>>>) {
        let (reply, answer) = oneshot::channel();
        (Self { isolation, work: Some(work), result: None, reply }, answer)
    }
}

impl<T, E, F> Job for TypedJob<T, E, F>
where
    T: Send,
    E: Send,
    F: FnOnce(&Connection) -> Result<T, E> + Send,
{
    fn isolation(&self) -> Isolation {
        self.isolation
    }

    fn run(&mut self, connection: &Connection) -> Ran {
        let Some(work) = self.work.take() else { return Ran::Failed };
        // Whatever the closure left half-done is either undone in the database or dropped with the closure.
        self.result = catch_unwind(AssertUnwindSafe(|| work(connection))).ok();
        match &self.result {
            Some(Ok(_)) => Ran::Done,
            Some(Err(_)) => Ran::Failed,
            None => Ran::Panicked,
        }
    }

    fn settle(self: Box<Self>, committed: Committed<'_>) {
        let outcome = match (committed, self.result) {
            (Err(reason), _) => Err(WriteError::Unavailable(reason.to_owned())),
            (Ok(()), Some(result)) => result.map_err(WriteError::Job),
            (Ok(()), None) => Err(WriteError::Unavailable("the job panicked; its changes were undone".to_owned())),
        };
        // A caller that went away does not want to know.
        drop(self.reply.send(outcome));
    }
}
