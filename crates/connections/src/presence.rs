//! A read that found a connection which was known before: whether it counts, and what it changed (R2).

use crate::announce::{self, DELETED_AT};
use crate::change::{Answered, changed_fields};
use crate::known::Known;
use crate::observe::{Outcome, Verdict};
use crate::read::Cause;
use crate::regression::{Presence, Regression, goes_back};
use crate::schedule::Schedule;

/// What `found` makes of what is known.
pub(crate) fn found(before: &Known, found: Presence, cause: Cause, schedule: &Schedule) -> Outcome {
    if found.read_no <= before.read_no {
        return Outcome::quiet(before.clone(), Verdict::Stale);
    }
    if !goes_back(&before.status, &found.status) {
        let newer_suspects = before.regression.clone().and_then(|suspects| suspects.newer_than(found.read_no));
        return count(before, found, newer_suspects, cause, schedule);
    }
    let suspects = Regression::with(before.regression.clone(), found);
    if suspects.repeated(schedule.second_look) {
        return count(before, suspects.newest, None, cause, schedule);
    }
    let verdict = if before.regression.as_ref() == Some(&suspects) { Verdict::Stale } else { Verdict::Suspect };
    Outcome::quiet(Known { regression: Some(suspects), ..before.clone() }, verdict)
}

/// `counted` takes the place of what was known; suspects newer than it stay so only where they go back from it too.
fn count(
    before: &Known,
    counted: Presence,
    suspects: Option<Regression>,
    cause: Cause,
    schedule: &Schedule,
) -> Outcome {
    let (counted, regression) = match suspects {
        Some(suspects) if !goes_back(&counted.status, &suspects.newest.status) => (suspects.newest, None),
        suspects => (counted, suspects),
    };
    let absence = before.absence.newer_than(counted.read_no);
    // Where signs remain that are newer than this read, it came late, and the proof may stand without those it voids.
    let still_deleted = absence.proves_deletion(schedule.deletion_rounds_apart);
    let after = Known {
        app: before.app.clone(),
        status: *counted.status,
        raw: counted.raw,
        version: before.version,
        read_no: counted.read_no,
        as_of: counted.as_of,
        deleted_at: before.deleted_at.filter(|_| still_deleted),
        unchanged_reads: before.unchanged_reads,
        absence,
        regression,
        announced: before.announced.clone(),
    };
    compare(before, after, cause)
}

fn compare(before: &Known, mut after: Known, cause: Cause) -> Outcome {
    let mut changed = changed_fields(Answered::of(before), Answered::of(&after));
    let revived = before.deleted_at.is_some() && after.deleted_at.is_none();
    if revived {
        changed.push(DELETED_AT.to_owned());
    }
    if changed.is_empty() {
        // Only what the schedule asked for stretches it: a read made for another reason says nothing about its pace.
        after.unchanged_reads = after.unchanged_reads.saturating_add(u32::from(cause == Cause::Schedule));
        return Outcome::quiet(after, Verdict::Unchanged);
    }
    after.version += 1;
    after.unchanged_reads = 0;
    let events = announce::change(before, &mut after, &changed);
    Outcome { after, verdict: if revived { Verdict::Revived } else { Verdict::Changed }, events }
}
