//! One write on its way through the writer thread: what to run, and whom to tell what came of it.

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::WriteError;

/// How a job's changes are kept apart from those of the others in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// In a savepoint: whatever it changed is undone when it fails.
    Savepoint,
    /// It changes nothing, or by a single statement, which undoes itself when it fails.
    SingleStatement,
}

/// What a write survives once it was told that it is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survives {
    /// The loss of power: its commit was synced.
    PowerLoss,
    /// The end of this process, however it ends. A loss of power may undo it, and then everything that was committed after it:
    /// never anything that was synced.
    ProcessEnd,
}

/// How a job ended, before anything was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// Its changes are to be kept.
    Done,
    /// Its changes are to be undone.
    Failed,
}

/// What became of the group's transaction: an error says why nothing of it was kept.
pub type Committed<'a> = Result<(), &'a str>;

/// A write that is told of its commit on the writer thread itself, in the order of the commits, whoever still waits for
/// it. [`crate::Database::write`] is the simpler way where that does not matter.
pub trait Job: Send + 'static {
    /// What the writer has to do so that a failure stays alone.
    fn isolation(&self) -> Isolation;

    /// What its commit has to survive; a group survives what the most demanding of its jobs asks for.
    fn survives(&self) -> Survives {
        Survives::PowerLoss
    }

    /// Runs it, once, under the rules of [`crate::Database::write`]. A panic counts as [`Ran::Failed`].
    fn run(&mut self, connection: &Connection) -> Ran;

    /// Called once after the end of the transaction, wherever the writer accepted the job. The job remembers by itself
    /// whether it had failed.
    fn settle(self: Box<Self>, committed: Committed<'_>);
}

/// A job with its types.
pub(crate) struct TypedJob<T, E, F> {
    work: Option<F>,
    survives: Survives,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, WriteError<E>>>,
}

impl<T, E, F> TypedJob<T, E, F> {
    pub(crate) fn new(work: F, survives: Survives) -> (Self, oneshot::Receiver<Result<T, WriteError<E>>>) {
        let (reply, answer) = oneshot::channel();
        (Self { work: Some(work), survives, result: None, reply }, answer)
    }
}

impl<T, E, F> Job for TypedJob<T, E, F>
where
    T: Send + 'static,
    E: Send + 'static,
    F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
{
    fn isolation(&self) -> Isolation {
        Isolation::Savepoint
    }

    fn survives(&self) -> Survives {
        self.survives
    }

    fn run(&mut self, connection: &Connection) -> Ran {
        self.result = self.work.take().map(|work| work(connection));
        if matches!(self.result, Some(Ok(_))) { Ran::Done } else { Ran::Failed }
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
