//! What was counted: webhooks and how they were answered, and what the API was asked.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Serialize;
use uuid::Uuid;

/// So many receipts are remembered; more are only counted.
pub const RECEIPTS_MAX: usize = 4_000_000;

/// The counts of a simulation so far.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Changes that happened.
    pub changes: u64,
    /// Different webhooks that were put on the wire at least once: duplicates and forgeries counted, retries not.
    pub sent: u64,
    /// Requests, retries included.
    pub attempts: u64,
    /// Webhooks that were answered with 200, forged ones included.
    pub acknowledged: u64,
    /// The receipts of these answers, in the order in which they came.
    pub receipts: Vec<Receipt>,
    /// Answers with 200 that had no receipt: a UUID under `receipt`.
    pub without_receipt: u64,
    /// Requests that were answered with something else, by status.
    pub refused: BTreeMap<u16, u64>,
    /// Requests that got no answer at all.
    pub unanswered: u64,
    /// Webhooks that were never sent, by plan.
    pub lost: u64,
    /// Webhooks that were not acknowledged after the last retry.
    pub given_up: u64,
    /// Of `sent`: those that repeat another one's bytes on purpose.
    pub duplicates: u64,
    /// Of `sent`: those that Finlink never sent.
    pub forged_sent: u64,
    /// Of these: answered with 4xx.
    pub forged_refused: u64,
    /// Of these: answered with 200. That is right only for a key that the receiver did not know yet ([`Forgery`] says more),
    /// and their receipts are marked: none of them may ever count as verified.
    ///
    /// [`Forgery`]: crate::Forgery
    pub forged_acknowledged: u64,
    /// What the API was asked.
    pub asked: Asked,
}

impl Tally {
    /// Requests that were answered with something other than 200.
    #[must_use]
    pub fn refused_total(&self) -> u64 {
        self.refused.values().sum()
    }
}

/// The `receipt` of an answer with 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// The receiver's word for the delivery.
    pub id: Uuid,
    /// It was given for a forged webhook.
    pub forged: bool,
}

/// What the API was asked, failed and faulty answers included.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// `POST /auth/login`.
    pub logins: u64,
    /// Of these: with a wrong client id or secret.
    pub logins_denied: u64,
    /// Connections, as a list.
    pub lists: u64,
    /// Connections, one.
    pub singles: u64,
    /// Connections to be exchanged.
    pub pending: u64,
    /// Keys.
    pub keys: u64,
    /// Exchanges and deletions.
    pub commands: u64,
    /// Anything else.
    pub other: u64,
    /// Answers by status.
    pub by_status: BTreeMap<u16, u64>,
    /// The most requests that began within one second, counted from the first request of that second.
    pub per_second_max: u64,
    #[serde(skip)]
    second: Option<(Instant, u64)>,
}

impl Asked {
    /// All requests.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.logins + self.lists + self.singles + self.pending + self.keys + self.commands + self.other
    }

    /// A request began.
    pub(crate) fn begin(&mut self, now: Instant) {
        let (since, count) = match self.second {
            Some((since, count)) if now.duration_since(since).as_secs() == 0 => (since, count + 1),
            _ => (now, 1),
        };
        self.second = Some((since, count));
        self.per_second_max = self.per_second_max.max(count);
    }
}
