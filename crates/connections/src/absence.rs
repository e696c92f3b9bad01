//! Evidence of a deletion (R3): which reads did not find a connection since it was last there, and whether that is proof.
//!
//! Promises: the proof depends on the set of signs alone, not on the order in which they came, and a further sign never
//! weakens it. Bounded: what is left out of a long series can only delay a proof after a read that came out of order.

use std::time::Duration;

use events::UtcMicros;
use serde::{Deserialize, Serialize};

/// So many of the newest signs of each kind are kept, besides its earliest and its latest.
const NEWEST_KEPT: usize = 8;

/// How Finlink said that a connection is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// 404 to the question for this one connection.
    NotFound,
    /// A complete list without it.
    NotListed,
}

impl Sign {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::NotFound, Self::NotListed];
}

/// A read that did not find the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbsentRead {
    /// Its number.
    pub read_no: u64,
    /// When it was answered.
    pub at: UtcMicros,
    /// What it answered.
    pub sign: Sign,
}

/// The reads that did not find a connection and are newer than the last one that did, in the order of their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Absence {
    reads: Vec<AbsentRead>,
}

impl Absence {
    /// The reads, in the order of their numbers. Of a long series some in the middle are left out.
    pub fn reads(&self) -> &[AbsentRead] {
        &self.reads
    }

    /// Whether there is any sign at all.
    pub fn suspected(&self) -> bool {
        !self.reads.is_empty()
    }

    /// When the first sign of any kind was seen.
    pub fn since(&self) -> Option<UtcMicros> {
        self.reads.iter().map(|read| read.at).min()
    }

    /// When `sign` was first seen.
    pub fn first(&self, sign: Sign) -> Option<UtcMicros> {
        self.of(sign).map(|read| read.at).min()
    }

    /// When `sign` was last seen.
    pub fn latest(&self, sign: Sign) -> Option<UtcMicros> {
        self.of(sign).map(|read| read.at).max()
    }

    /// When both signs had been seen once; `None` while one is missing.
    pub fn first_round(&self) -> Option<UtcMicros> {
        Some(self.first(Sign::NotFound)?.max(self.first(Sign::NotListed)?))
    }

    /// Whether both signs were seen, and both again `apart` or more after that.
    pub fn proves_deletion(&self, apart: Duration) -> bool {
        Sign::ALL.into_iter().all(|sign| self.lacks(sign, apart).is_none())
    }

    /// From when on seeing `sign` would further the proof; `None` where it would not (yet).
    pub(crate) fn lacks(&self, sign: Sign, apart: Duration) -> Option<UtcMicros> {
        let Some(latest) = self.latest(sign) else { return Some(UtcMicros(i64::MIN)) };
        let second_round = self.first_round()?.plus(apart);
        (latest < second_round).then_some(second_round)
    }

    /// These signs and `read`.
    #[must_use]
    pub(crate) fn with(&self, read: AbsentRead) -> Self {
        let mut reads = self.reads.clone();
        if let Err(place) = reads.binary_search_by_key(&read.read_no, |known| known.read_no) {
            reads.insert(place, read);
        }
        let mut all = Self { reads };
        for sign in Sign::ALL {
            all.thin_out(sign);
        }
        all
    }

    /// What remains of these signs when a read of the number `read_no` found the connection.
    #[must_use]
    pub(crate) fn newer_than(&self, read_no: u64) -> Self {
        Self { reads: self.reads.iter().filter(|read| read.read_no > read_no).copied().collect() }
    }

    fn of(&self, sign: Sign) -> impl DoubleEndedIterator<Item = &AbsentRead> {
        self.reads.iter().filter(move |read| read.sign == sign)
    }

    /// Keeps the newest by number, for a presence that comes late and voids those before it, and the two extremes by time,
    /// which the proof is made of.
    fn thin_out(&mut self, sign: Sign) {
        let by_time = |read: &&AbsentRead| (read.at, read.read_no);
        let numbers_kept: Vec<u64> = [self.of(sign).min_by_key(by_time), self.of(sign).max_by_key(by_time)]
            .into_iter()
            .flatten()
            .chain(self.of(sign).rev().take(NEWEST_KEPT))
            .map(|read| read.read_no)
            .collect();
        self.reads.retain(|read| read.sign != sign || numbers_kept.contains(&read.read_no));
    }
}
