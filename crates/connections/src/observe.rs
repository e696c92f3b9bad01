//! What a read means: the state after it, the events it makes, and when to look again.

use events::{ConnectionEvent, ConnectionStatus, UtcMicros};
use serde_json::Value;

use crate::absence::{Absence, AbsentRead, Sign};
use crate::announced::Announced;
use crate::due::{Due, Looks, next_looks};
use crate::known::Known;
use crate::read::{Answer, Cause, Read};
use crate::regression::Presence;
use crate::schedule::Schedule;
use crate::{announce, change, gap, presence};

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
    /// A list of the whole app is wanted by then, whether or not one is due: this connection is missing, and a list without
    /// it would further the proof (R3), or one with it end the matter.
    pub list_at: Option<UtcMicros>,
}

/// What a read did, in a word; also the `result` label of `finlinkd_refreshes_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// A newer read had been counted before, or this very one.
    Stale,
    /// Its `updatedAt` went back; it is repeated before it counts.
    Suspect,
    /// Seen for the first time.
    Discovered,
    /// Nothing new; also of a deleted connection that is still not there.
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

impl Verdict {
    /// All of them, for parsing.
    pub const ALL: [Self; 10] = [
        Self::Stale,
        Self::Suspect,
        Self::Discovered,
        Self::Unchanged,
        Self::Changed,
        Self::Revived,
        Self::Missing,
        Self::DeletionHeld,
        Self::Deleted,
        Self::Unknown,
    ];

    /// The word in the store and in labels.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Suspect => "suspect",
            Self::Discovered => "discovered",
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Revived => "revived",
            Self::Missing => "missing",
            Self::DeletionHeld => "deletion_held",
            Self::Deleted => "deleted",
            Self::Unknown => "unknown",
        }
    }

    /// Whether something observed changed, so that the version rose.
    pub fn raises_version(self) -> bool {
        match self {
            Self::Discovered | Self::Changed | Self::Revived | Self::Deleted => true,
            Self::Stale | Self::Suspect | Self::Unchanged | Self::Missing | Self::DeletionHeld | Self::Unknown => false,
        }
    }

    /// The verdict of a word, where it is one.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.word() == word)
    }
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
    /// A hint led to two reads that changed nothing: a webhook that was missed before may have come late.
    LateHint,
}

/// What `read` means for a connection of which `before` is known, and which the caller knows to be the one that was read.
///
/// Numbers alone decide what counts: a read that did not find the connection counts while its number is higher than that of
/// the newest one that did, and such a one while its number is higher than `before.read_no`. What does not count is
/// [`Verdict::Stale`] and changes nothing. So reads may come in any order and any number of times.
///
/// One thing is outside of that: nothing is remembered of a token that was never found.
pub fn observe(before: Option<&Known>, read: &Read, circumstances: Circumstances, schedule: &Schedule) -> Transition {
    match (before, &read.answer) {
        (None, Answer::Found { status, raw }) => discovered(read, status, raw, circumstances, schedule),
        (None, Answer::NotFound | Answer::NotListed) => Transition {
            after: None,
            verdict: Verdict::Unknown,
            events: Vec::new(),
            gap: None,
            due: None,
            // The API may lag its own webhook: a list shows a connection that it did not have yet.
            list_at: (circumstances.cause == Cause::Hint).then(|| read.as_of.plus(schedule.second_look)),
        },
        (Some(before), Answer::Found { status, raw }) => {
            let found = Presence { read_no: read.read_no, as_of: read.as_of, status: status.clone(), raw: raw.clone() };
            presence::found(before, found, circumstances.cause, schedule).finish(before, read, circumstances, schedule)
        }
        (Some(before), Answer::NotFound) => absent(before, read, Sign::NotFound, circumstances, schedule),
        (Some(before), Answer::NotListed) => absent(before, read, Sign::NotListed, circumstances, schedule),
    }
}

/// What a read made of what was known, before it is told when to look again.
pub(crate) struct Outcome {
    pub(crate) after: Known,
    pub(crate) verdict: Verdict,
    pub(crate) events: Vec<ConnectionEvent>,
}

impl Outcome {
    /// Nothing to announce.
    pub(crate) fn quiet(after: Known, verdict: Verdict) -> Self {
        Self { after, verdict, events: Vec::new() }
    }

    fn finish(self, before: &Known, read: &Read, circumstances: Circumstances, schedule: &Schedule) -> Transition {
        let Self { after, verdict, events } = self;
        // A read asked later may have been answered sooner.
        let last_read = before.as_of.max(read.as_of);
        let Looks { due, list_at } = next_looks(&after, verdict, last_read, circumstances, schedule);
        let gap = gap::gap(before, &after, verdict, circumstances);
        Transition { after: Some(after), verdict, events, gap, due, list_at }
    }
}

fn discovered(
    read: &Read,
    status: &ConnectionStatus,
    raw: &Value,
    circumstances: Circumstances,
    schedule: &Schedule,
) -> Transition {
    let mut known = Known {
        app: read.app.clone(),
        status: status.clone(),
        raw: raw.clone(),
        version: 1,
        read_no: read.read_no,
        as_of: read.as_of,
        deleted_at: None,
        unchanged_reads: 0,
        absence: Absence::default(),
        regression: None,
        announced: Announced::default(),
    };
    let (mut events, mut gap) = (Vec::new(), None);
    if circumstances.announce {
        events = announce::first_sight(&mut known, &change::present_fields(raw));
        gap = gap::at_first_sight(status, circumstances);
    }
    let Looks { due, list_at } = next_looks(&known, Verdict::Discovered, read.as_of, circumstances, schedule);
    Transition { after: Some(known), verdict: Verdict::Discovered, events, gap, due, list_at }
}

fn absent(before: &Known, read: &Read, sign: Sign, circumstances: Circumstances, schedule: &Schedule) -> Transition {
    let absence = before.absence.with(AbsentRead { read_no: read.read_no, at: read.as_of, sign });
    let stale = read.read_no <= before.read_no || absence == before.absence;
    let outcome = if stale {
        Outcome::quiet(before.clone(), Verdict::Stale)
    } else {
        judge(Known { absence, ..before.clone() }, read.as_of, circumstances, schedule)
    };
    outcome.finish(before, read, circumstances, schedule)
}

/// Whether a connection with a new sign of absence is deleted.
fn judge(mut missing: Known, now: UtcMicros, circumstances: Circumstances, schedule: &Schedule) -> Outcome {
    if missing.deleted_at.is_some() {
        return Outcome::quiet(missing, Verdict::Unchanged);
    }
    if !missing.absence.proves_deletion(schedule.deletion_rounds_apart) {
        return Outcome::quiet(missing, Verdict::Missing);
    }
    if !circumstances.deletions_allowed {
        return Outcome::quiet(missing, Verdict::DeletionHeld);
    }
    missing.deleted_at = Some(now);
    missing.version += 1;
    let events = announce::deletion(&mut missing);
    Outcome { after: missing, verdict: Verdict::Deleted, events }
}
