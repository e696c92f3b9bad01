//! The books (R8): a number for every attempt to publish, and what became of it.
//!
//! A number is *decided* once its attempt was stored or refused. `decided_through` is the highest number up to which all are
//! decided; every message carries it. A mark ([`Checkpoint`]) names the refused ones, so for every number up to its
//! `decided_through` the reader finds a delivery or a range in this mark or an earlier one; anything else is a hole.
//!
//! An attempt whose outcome is unknown counts as refused, since its sender was told so. It may have been stored all the same,
//! so a refused number may also be a delivery: both balance. What must not happen is the contrary, a number that was
//! acknowledged and is in neither place.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use events::{Checkpoint, SequenceRange, UtcMicros};
use uuid::Uuid;

/// The most ranges in one mark; the rest goes into the next, and `decided_through` stops before it.
pub(crate) const RANGES_PER_MARK_MAX: usize = 1000;

/// The most ranges kept while no mark can be published. Beyond, a refused number is not noted and will look like a hole: a
/// false alarm rather than a false peace.
const RANGES_KEPT_MAX: usize = 100_000;

/// The books of one run of the receiver.
pub(crate) struct Books {
    instance: Uuid,
    started_at: UtcMicros,
    ledger: Mutex<Ledger>,
}

/// A number, and how far all were decided when it was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) sequence: u64,
    pub(crate) decided_through: u64,
}

#[derive(Default)]
struct Ledger {
    decided_through: u64,
    /// Whether each number after `decided_through` is decided, in order; the first never is.
    open: VecDeque<bool>,
    /// First to last number of each refused range that no published mark has named yet.
    refused: BTreeMap<u64, u64>,
}

impl Books {
    pub(crate) fn open(started_at: UtcMicros) -> Self {
        Self { instance: Uuid::now_v7(), started_at, ledger: Mutex::default() }
    }

    /// The run that these books are about.
    pub(crate) fn instance(&self) -> Uuid {
        self.instance
    }

    /// Draws the next number.
    pub(crate) fn draw(&self) -> Entry {
        let mut ledger = self.ledger();
        ledger.open.push_back(false);
        Entry { sequence: ledger.decided_through + ledger.open.len() as u64, decided_through: ledger.decided_through }
    }

    /// The attempt `sequence` is durable.
    pub(crate) fn stored(&self, sequence: u64) {
        self.ledger().decide(sequence);
    }

    /// The sender of the attempt `sequence` gets no 200.
    pub(crate) fn refused(&self, sequence: u64) {
        let mut ledger = self.ledger();
        ledger.note_refused(sequence);
        ledger.decide(sequence);
    }

    /// Makes a mark. It says that it is the last only where that is asked for and true.
    pub(crate) fn mark(&self, at: UtcMicros, last: bool) -> Checkpoint {
        let ledger = self.ledger();
        let ranges = || ledger.refused.iter().map(|(from, through)| SequenceRange { from: *from, through: *through });
        let left_out = ranges().nth(RANGES_PER_MARK_MAX);
        Checkpoint {
            instance: self.instance,
            started_at: self.started_at,
            at,
            decided_through: left_out.map_or(ledger.decided_through, |next| ledger.decided_through.min(next.from - 1)),
            refused: ranges().take(RANGES_PER_MARK_MAX).collect(),
            last: last && left_out.is_none() && ledger.open.is_empty(),
        }
    }

    /// The mark is durable: its ranges need not be named again.
    pub(crate) fn published(&self, mark: &Checkpoint) {
        let mut ledger = self.ledger();
        for range in &mark.refused {
            // A range may have grown since the mark was made; what it grew by is still to be told.
            if let Some(through) = ledger.refused.remove(&range.from)
                && through > range.through
            {
                ledger.refused.insert(range.through + 1, through);
            }
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    fn decide(&mut self, sequence: u64) {
        let index = usize::try_from(sequence - self.decided_through - 1).unwrap_or(usize::MAX);
        if let Some(decided) = self.open.get_mut(index) {
            *decided = true;
        }
        while self.open.front() == Some(&true) {
            self.open.pop_front();
            self.decided_through += 1;
        }
    }

    fn note_refused(&mut self, sequence: u64) {
        let before = self.refused.range(..sequence).next_back().map(|(from, through)| (*from, *through));
        let from = match before {
            Some((from, through)) if through + 1 == sequence => from,
            _ if self.refused.len() >= RANGES_KEPT_MAX => return,
            _ => sequence,
        };
        let through = self.refused.remove(&(sequence + 1)).unwrap_or(sequence);
        self.refused.insert(from, through);
    }
}

#[cfg(test)]
mod tests;
