//! When to look again after a read (R2, R3, R4): the plain schedule, and what brings the next look forward.

use events::UtcMicros;

use crate::absence::Sign;
use crate::known::Known;
use crate::observe::{Circumstances, Verdict};
use crate::read::Cause;
use crate::schedule::{Schedule, just_after};

/// When a connection is looked at next, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Due at this time without any hint.
    pub scheduled_at: UtcMicros,
    /// Not before this time, hint or not.
    pub not_before: UtcMicros,
    /// Why it is scheduled.
    pub cause: Cause,
}

/// The next looks at a connection: at itself, and at the list of its app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Looks {
    pub(crate) due: Option<Due>,
    pub(crate) list_at: Option<UtcMicros>,
}

/// When to look again at `after`, which was last read at `last_read`.
pub(crate) fn next_looks(
    after: &Known,
    verdict: Verdict,
    last_read: UtcMicros,
    circumstances: Circumstances,
    schedule: &Schedule,
) -> Looks {
    if after.deleted_at.is_some() {
        return Looks { due: None, list_at: None };
    }
    let absent = after.absence.suspected();
    let (scheduled_at, cause) = if verdict == Verdict::Suspect {
        repetition(after, last_read, schedule)
    } else if absent {
        (next_question(after, last_read, circumstances, schedule), Cause::Missing)
    } else if circumstances.cause == Cause::Hint && (verdict == Verdict::Unchanged || after.status.is_running()) {
        // Finlink tells of imports and updates that ended: what still runs, or shows nothing new, lags its own webhook.
        (last_read.plus(schedule.second_look), Cause::Lag)
    } else {
        repetition(after, last_read, schedule)
    };
    let due = Due {
        scheduled_at: scheduled_at.max(just_after(last_read)),
        not_before: last_read.plus(schedule.hinted_reads_apart),
        cause,
    };
    let list_at = absent.then(|| next_list(after, last_read, circumstances, schedule)).flatten();
    Looks { due: Some(due), list_at }
}

/// The repetition of a read that went back, where one waits for it; else the plain schedule.
fn repetition(after: &Known, last_read: UtcMicros, schedule: &Schedule) -> (UtcMicros, Cause) {
    match &after.regression {
        Some(regression) => (regression.first_seen_at.plus(schedule.second_look), Cause::Regression),
        None => (schedule.next_due(&after.status, after.unchanged_reads, last_read), Cause::Schedule),
    }
}

/// When a missing connection is asked for alone again: at once where only a list told so far, then for the second round.
/// While its answer would prove nothing it is asked for now and then, since it may be there again.
fn next_question(after: &Known, last_read: UtcMicros, circumstances: Circumstances, schedule: &Schedule) -> UtcMicros {
    let apart = schedule.deletion_rounds_apart;
    match after.absence.lacks(Sign::NotFound, apart) {
        Some(from) if circumstances.deletions_allowed => from,
        // Too many missing at once are more likely a fault of the list, and the next list ends it with one request.
        Some(from) => from.max(after.absence.since().unwrap_or(last_read).plus(apart)),
        None => last_read.plus(apart),
    }
}

/// When a list is wanted for the proof of a deletion. With too many missing it is wanted every so often: it shows that they
/// are back, or that their deletions have been allowed.
fn next_list(
    after: &Known,
    last_read: UtcMicros,
    circumstances: Circumstances,
    schedule: &Schedule,
) -> Option<UtcMicros> {
    if !circumstances.deletions_allowed {
        return Some(last_read.plus(schedule.running));
    }
    let from = after.absence.lacks(Sign::NotListed, schedule.deletion_rounds_apart)?;
    Some(from.max(last_read))
}
