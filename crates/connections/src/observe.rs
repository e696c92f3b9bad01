//! What a read means: the state after it, the events it makes, and when to look again.

use events::ConnectionEvent;

use crate::known::Known;
use crate::read::{Cause, Read};
use crate::schedule::{Due, Schedule};

/// What a read's meaning depends on besides the read itself. The store fills it in under the row's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstances {
    /// Why the read was made.
    pub cause: Cause,
    /// A webhook told of this connection: the read answers a hint, is the second look after one, or a hint waits.
    pub hinted: bool,
    /// So few of the app's connections are missing that each may be judged alone (R3).
    pub deletions_allowed: bool,
    /// Connections seen for the first time are announced. False during an app's first sweep unless asked for (R6).
    pub announce: bool,
}

/// What a read did.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// The state after it; `None` where nothing is known before nor after (a 404 of a token never seen).
    pub after: Option<Known>,
    /// What happened, in a word.
    pub verdict: Verdict,
    /// What is announced, all of the same version.
    pub events: Vec<ConnectionEvent>,
    /// A change that a webhook should have told of, or the sign that the webhook of an earlier one came late.
    pub gap: Option<Gap>,
    /// When to look again; `None`: never (nothing is known of it, or it is deleted and nothing hints at it).
    pub due: Option<Due>,
}

/// What a read did, in a word; also the `result` label of `finlinkd_refreshes_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// A newer read had been counted before.
    Stale,
    /// Its `updatedAt` went back; it is repeated before it counts.
    Suspect,
    /// Seen for the first time.
    Discovered,
    /// Nothing new.
    Unchanged,
    /// Something changed.
    Changed,
    /// It was deleted and is there again.
    Revived,
    /// Not there, and not yet proven to be deleted.
    Missing,
    /// Proven to be deleted, but too many are: waits for an operator.
    DeletionHeld,
    /// Proven to be deleted.
    Deleted,
    /// Not there, and never was as far as we know.
    Unknown,
}

/// What a read tells about webhooks that did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gap {
    /// A first import ended and no webhook had told.
    Import,
    /// An update was made and no webhook had told.
    Update,
    /// An update or restore token was issued and no webhook had told.
    Token,
    /// A hint led to a read that changed nothing: a webhook that was missed before may have come late.
    LateHint,
}

/// What `read` means for a connection of which `before` is known.
///
/// `read.read_no` decides alone whether it counts: a lower number than the one already counted is [`Verdict::Stale`] and
/// changes nothing.
pub fn observe(before: Option<&Known>, read: &Read, circumstances: Circumstances, schedule: &Schedule) -> Transition {
    let _ = (before, read, circumstances, schedule);
    todo!()
}
