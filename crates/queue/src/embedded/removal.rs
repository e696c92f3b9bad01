//! The write that forgets messages: acknowledged batches, and single rows of a spool.

use std::sync::Arc;

use sqlite::rusqlite::{self, Connection, params};
use sqlite::{Committed, Isolation, Job, Ran, Survives};
use tokio::sync::oneshot;

use super::books::Shared;
use super::claim::Claim;
use super::failpoint::{Failpoint, reached};
use super::schema;

/// Which rows.
pub(super) enum Rows {
    /// Those of a batch, with its row in the journal of claims. Given back if they cannot be removed.
    Claimed(Claim),
    /// These; those that are not there any more count as removed.
    Ids(Vec<i64>),
}

/// Removes rows and tells the books, whoever still waits for it.
pub(super) struct Removal {
    shared: Arc<Shared>,
    rows: Rows,
    result: Option<rusqlite::Result<Removed>>,
    reply: oneshot::Sender<Reply>,
}

/// Whether the file is now much larger than what is in it, or why the rows are still there.
pub(super) type Reply = Result<bool, String>;

/// Unused pages (of 4 KiB) in the file of an empty queue from which on they are given back to the disk.
const UNUSED_PAGES_MAX: i64 = 16_384;

struct Removed {
    messages: u64,
    bytes: u64,
    oldest_at: Option<i64>,
    oversized: bool,
}

impl Removal {
    pub(super) fn new(shared: &Arc<Shared>, rows: Rows) -> (Self, oneshot::Receiver<Reply>) {
        let (reply, answer) = oneshot::channel();
        (Self { shared: shared.clone(), rows, result: None, reply }, answer)
    }

    fn remove(&self, connection: &Connection) -> rusqlite::Result<Removed> {
        let mut removed = Removed { messages: 0, bytes: 0, oldest_at: None, oversized: false };
        match &self.rows {
            Rows::Claimed(claim) => {
                let mut delete =
                    connection.prepare_cached("DELETE FROM messages WHERE id BETWEEN ?1 AND ?2 RETURNING size")?;
                removed.count(delete.query(params![claim.range.first, claim.range.last])?)?;
                connection.prepare_cached("DELETE FROM claims WHERE first = ?1")?.execute([claim.range.first])?;
            }
            Rows::Ids(ids) => {
                let mut delete = connection.prepare_cached("DELETE FROM messages WHERE id = ?1 RETURNING size")?;
                for id in ids {
                    removed.count(delete.query([id])?)?;
                }
            }
        }
        removed.oldest_at = schema::oldest_at(connection)?;
        removed.oversized = removed.oldest_at.is_none() && schema::unused_pages(connection)? > UNUSED_PAGES_MAX;
        reached(Failpoint::RemovedNotCommitted);
        Ok(removed)
    }
}

impl Removed {
    fn count(&mut self, mut sizes: rusqlite::Rows<'_>) -> rusqlite::Result<()> {
        while let Some(row) = sizes.next()? {
            self.messages += 1;
            self.bytes += row.get::<_, i64>(0)? as u64;
        }
        Ok(())
    }
}

impl Job for Removal {
    fn isolation(&self) -> Isolation {
        Isolation::Savepoint
    }

    /// What comes back after a loss of power was recorded before, and is known by its receipt.
    fn survives(&self) -> Survives {
        Survives::ProcessEnd
    }

    fn run(&mut self, connection: &Connection) -> Ran {
        let result = self.remove(connection);
        let ran = if result.is_ok() { Ran::Done } else { Ran::Failed };
        self.result = Some(result);
        ran
    }

    fn settle(self: Box<Self>, committed: Committed<'_>) {
        let Self { shared, rows, result, reply } = *self;
        let outcome = match (committed, result) {
            (Ok(()), Some(Ok(removed))) => {
                reached(Failpoint::RemovedNotTold);
                shared.health.works();
                shared.removed(removed.messages, removed.bytes, removed.oldest_at);
                if let Rows::Claimed(claim) = rows {
                    claim.removed();
                }
                Ok(removed.oversized)
            }
            (Ok(()), Some(Err(error))) => Err(error.to_string()),
            (Ok(()), None) => Err("the writer gave up on it".to_owned()),
            (Err(reason), _) => Err(reason.to_owned()),
        };
        if let Err(reason) = &outcome {
            shared.health.fails(reason);
        }
        // Whoever went away does not want to know.
        drop(reply.send(outcome));
    }
}
