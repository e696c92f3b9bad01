//! Reads whose `updatedAt` goes back (R2): held until a repetition says the same, dropped when a newer read does not.
//!
//! Promises: the outcome does not depend on the order in which the reads came, so the newest suspect is kept whole: it
//! counts even when the read that it repeats comes after it.

use std::time::Duration;

use events::{ConnectionStatus, UtcMicros};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A read that found the connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Presence {
    /// Its number.
    pub read_no: u64,
    /// When it was answered.
    pub as_of: UtcMicros,
    /// What it said, read.
    pub status: Box<ConnectionStatus>,
    /// What it said, as it came.
    pub raw: Value,
}

/// The reads newer than the one that counts whose `updatedAt` lies before its: the first of them, and the newest whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Regression {
    /// The number of the first.
    pub first_read_no: u64,
    /// When the first was answered.
    pub first_seen_at: UtcMicros,
    /// The newest; the same read as the first while there is only one.
    pub newest: Presence,
}

/// Whether `later` says that less had happened than `earlier`. Where one of them does not tell, it cannot.
pub(crate) fn goes_back(earlier: &ConnectionStatus, later: &ConnectionStatus) -> bool {
    matches!((earlier.updated_at, later.updated_at), (Some(before), Some(after)) if after < before)
}

impl Regression {
    /// The suspects `known` and `presence`, which goes back as well.
    #[must_use]
    pub(crate) fn with(known: Option<Self>, presence: Presence) -> Self {
        let Some(mut all) = known else { return Self::of(presence) };
        if presence.read_no < all.first_read_no {
            (all.first_read_no, all.first_seen_at) = (presence.read_no, presence.as_of);
        }
        if presence.read_no > all.newest.read_no {
            all.newest = presence;
        }
        all
    }

    /// The suspects that are newer than a read of the number `read_no`, which counts.
    #[must_use]
    pub(crate) fn newer_than(self, read_no: u64) -> Option<Self> {
        if self.newest.read_no <= read_no {
            None
        } else if self.first_read_no <= read_no {
            Some(Self::of(self.newest))
        } else {
            Some(self)
        }
    }

    /// Whether the newest repeats the first: answered `second_look` or more after it, which a single one is not after itself.
    pub(crate) fn repeated(&self, second_look: Duration) -> bool {
        self.newest.as_of >= self.first_seen_at.plus(second_look)
    }

    fn of(presence: Presence) -> Self {
        Self { first_read_no: presence.read_no, first_seen_at: presence.as_of, newest: presence }
    }
}
