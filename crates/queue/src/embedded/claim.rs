//! A range of rows that is out of the queue, until it is removed or comes back.

use std::sync::Arc;

use sqlite::rusqlite::{self, Connection, params};

use super::books::{Next, Range, Shared};
use super::failpoint::{Failpoint, reached};

/// Rows that belong to one batch. Dropping it gives them back.
pub(super) struct Claim {
    shared: Arc<Shared>,
    pub(super) range: Range,
    /// Handed out so often, this time included once it was.
    attempts: u32,
    removed: bool,
}

impl Claim {
    /// Takes the rows of `next` up to and with `through` out of the books. Until [`Claim::handed_out`], giving it back
    /// counts no attempt.
    pub(super) fn take(shared: &Arc<Shared>, next: Next, through: i64, messages: u64, bytes: u64) -> Self {
        shared.took(next, through, messages, bytes);
        let range = Range { first: next.range.first, last: through };
        Self { shared: shared.clone(), range, attempts: next.attempts, removed: false }
    }

    /// From here on the batch is somebody's attempt.
    pub(super) fn handed_out(&mut self) {
        self.attempts += 1;
    }

    /// The rows are gone from the file: there is nothing to give back.
    pub(super) fn removed(mut self) {
        self.removed = true;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.removed {
            self.shared.give_back(self.range, self.attempts);
        }
    }
}

/// Writes down that the rows of `next` up to and with `through` are about to be handed out once more, so that the attempt
/// counts even when this process is killed by what is in them.
///
/// There is a row for each range that was ever handed out and is not removed, under its first id, or none. A row may be
/// left from a claim that was given up before it was handed out; it is put right here.
pub(super) fn journal(connection: &Connection, next: Next, through: i64) -> rusqlite::Result<()> {
    let mut upsert = connection.prepare_cached(
        "INSERT INTO claims (first, last, attempts) VALUES (?1, ?2, ?3)
         ON CONFLICT (first) DO UPDATE SET last = excluded.last, attempts = excluded.attempts",
    )?;
    upsert.execute(params![next.range.first, through, next.attempts + 1])?;
    if through < next.range.last && next.attempts > 0 {
        upsert.execute(params![through + 1, next.range.last, next.attempts])?;
    }
    reached(Failpoint::ClaimedNotCommitted);
    Ok(())
}
