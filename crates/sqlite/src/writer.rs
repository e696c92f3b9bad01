//! The writer thread: takes what waits, runs it in one transaction, commits once, tells everyone.
//!
//! A group is whatever waits when the one before it is done, so a lone write never waits for company, and under load one
//! sync carries many. The thread survives everything that a job or the disk can do.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::Connection;
use tokio::sync::mpsc;
use tracing::{debug, error, warn};

use crate::job::{Isolation, Job, Ran, Survives};
use crate::lock::FolderLock;

/// What comes through the channel.
pub(crate) enum Order {
    Run(Box<dyn Job>),
    /// Give unused space back to the disk.
    Compact,
    /// Take no more, carry out what was accepted, end.
    End(Fate),
}

/// What is to become of the file at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Kept,
    Removed,
}

/// Everything that the thread owns.
pub(crate) struct Writer {
    connection: Connection,
    orders: mpsc::Receiver<Order>,
    group_max: usize,
    lock: FolderLock,
    /// What commits survive as the connection is set just now.
    survives: Cell<Survives>,
}

impl Writer {
    /// `connection` must have been opened by [`crate::open::writer`].
    pub(crate) fn new(
        connection: Connection,
        orders: mpsc::Receiver<Order>,
        group_max: usize,
        lock: FolderLock,
    ) -> Self {
        let survives = Cell::new(Survives::PowerLoss);
        Self { connection, orders, group_max: group_max.max(1), lock, survives }
    }

    /// Works until every sender is gone or [`Order::End`] came, and nothing is left. The lock goes back last.
    pub(crate) fn run(mut self) {
        let fate = self.work();
        let Self { connection, lock, .. } = self;
        drop(connection);
        if fate == Fate::Removed {
            lock.remove_database();
        }
        drop(lock);
    }

    fn work(&mut self) -> Fate {
        let mut fate = Fate::Kept;
        let mut orders = Vec::with_capacity(self.group_max);
        while self.orders.blocking_recv_many(&mut orders, self.group_max) > 0 {
            let mut group = Vec::with_capacity(orders.len());
            let mut compact = false;
            for order in orders.drain(..) {
                match order {
                    Order::Run(job) => group.push(job),
                    Order::Compact => compact = true,
                    Order::End(end) => {
                        fate = end;
                        self.orders.close();
                    }
                }
            }
            // First, so that whoever writes after having asked for it finds it done.
            if compact {
                self.compact();
            }
            if !group.is_empty() {
                self.carry_out(group);
            }
        }
        fate
    }

    fn compact(&self) {
        if let Err(error) = self.connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(PASSIVE);") {
            warn!(%error, "unused space could not be given back to the disk");
        }
    }

    /// Runs a group: one transaction, or one more for the rest wherever the transaction was lost half-way.
    fn carry_out(&self, group: Vec<Box<dyn Job>>) {
        let mut waiting = group.into_iter();
        while waiting.len() > 0 {
            let mut done = Vec::with_capacity(waiting.len());
            let outcome = self.transaction(&mut waiting, &mut done);
            if let Err(reason) = &outcome {
                // Every caller is told, and says so where it matters.
                debug!(error = reason, jobs = done.len(), "a group of writes failed and was undone");
            }
            for job in done {
                let committed = outcome.as_ref().copied().map_err(String::as_str);
                if catch_unwind(AssertUnwindSafe(|| job.settle(committed))).is_err() {
                    error!("telling the outcome of a write panicked");
                }
            }
        }
    }

    /// One transaction over as many of `waiting` as it lasts for; they are moved to `done`.
    fn transaction(
        &self,
        waiting: &mut std::vec::IntoIter<Box<dyn Job>>,
        done: &mut Vec<Box<dyn Job>>,
    ) -> Result<(), String> {
        let begun = self.set_survival(waiting.as_slice()).and_then(|()| self.execute("BEGIN IMMEDIATE"));
        if let Err(error) = begun {
            done.extend(waiting);
            self.roll_back();
            return Err(error.to_string());
        }
        let result = self.jobs(waiting, done).and_then(|()| self.execute("COMMIT").map_err(|error| error.to_string()));
        if result.is_err() {
            self.roll_back();
        }
        result
    }

    /// Has the next commit synced, unless none of these jobs asks for it. What was not synced is with the next that is, and
    /// before any of it reaches the file itself.
    fn set_survival(&self, jobs: &[Box<dyn Job>]) -> rusqlite::Result<()> {
        let powerless = jobs.iter().all(|job| job.survives() == Survives::ProcessEnd);
        let (survives, synchronous) =
            if powerless { (Survives::ProcessEnd, "normal") } else { (Survives::PowerLoss, "full") };
        if self.survives.get() != survives {
            self.connection.pragma_update(None, "synchronous", synchronous)?;
            self.survives.set(survives);
        }
        Ok(())
    }

    /// Leaves no transaction open, also none that an earlier failure left.
    fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK")
        {
            error!(%error, "a failed transaction could not be rolled back; it is tried again");
        }
    }

    fn jobs(&self, waiting: &mut std::vec::IntoIter<Box<dyn Job>>, done: &mut Vec<Box<dyn Job>>) -> Result<(), String> {
        for mut job in waiting {
            let ran = self.isolated(job.as_mut());
            done.push(job);
            ran.map_err(|error| error.to_string())?;
            // Some errors (disk full, input or output) make SQLite roll back the whole transaction by itself.
            if self.connection.is_autocommit() {
                return Err("SQLite gave the transaction up: disk full, or an input or output error".to_owned());
            }
        }
        Ok(())
    }

    /// Runs one job so that a failure undoes it alone. An error means that the transaction is lost.
    fn isolated(&self, job: &mut dyn Job) -> rusqlite::Result<()> {
        let savepoint = job.isolation() == Isolation::Savepoint;
        if savepoint {
            self.execute("SAVEPOINT job")?;
        }
        // Whatever a panic leaves half-done is either undone in the database or dropped with the job.
        let ran = catch_unwind(AssertUnwindSafe(|| job.run(&self.connection)));
        if ran.is_err() {
            warn!("a write panicked; its changes are undone");
        }
        if self.connection.is_autocommit() {
            return Ok(());
        }
        match (savepoint, ran) {
            (true, Ok(Ran::Done)) => self.execute("RELEASE job"),
            (true, Ok(Ran::Failed) | Err(_)) => {
                self.execute("ROLLBACK TO job")?;
                self.execute("RELEASE job")
            }
            (false, Ok(Ran::Done | Ran::Failed)) => Ok(()),
            // Nobody knows whether its statement ran.
            (false, Err(_)) => self.execute("ROLLBACK"),
        }
    }

    fn execute(&self, sql: &'static str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }
}
