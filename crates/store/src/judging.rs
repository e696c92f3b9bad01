//! What a batch of reads does to the store (R2 to R6): the same in every engine.
//!
//! The engine locks and loads the rows, [`Bench::judge`] asks the rules read by read, and the engine writes what
//! [`Bench::verdicts`] answers. Promises: pure; a connection that occurs twice in a batch is judged twice and written once.

use std::collections::BTreeMap;

use connections::{Answer, Cause, Circumstances, Gap, Known, Transition, Verdict, observe};
use events::{ConnectionEvent, ConnectionStatus, ConnectionToken, UtcMicros};
use serde_json::Value;

use crate::{Claim, Observation, Rules};

/// What bears on all connections of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AppState {
    /// Its first sweep is complete.
    pub(crate) swept: bool,
    /// A webhook hinted at the app and no list has answered it yet: whatever is found may be what it told of.
    pub(crate) told: bool,
    /// Connections that are not deleted.
    pub(crate) live: u64,
    /// Those of them that show signs of absence.
    pub(crate) missing: u64,
    /// New rows of `refreshes` count hints on from here.
    pub(crate) hints_forgotten: u64,
}

/// A row of `connections`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    pub(crate) known: Known,
    /// Since when its proven deletion waits for an operator.
    pub(crate) held_at: Option<UtcMicros>,
    /// When an operator let it proceed.
    pub(crate) approved_at: Option<UtcMicros>,
}

impl Kept {
    /// Not deleted, and shows signs of absence.
    pub(crate) fn missing(&self) -> bool {
        missing(&self.known)
    }
}

/// The same of what the rules know.
pub(crate) fn missing(known: &Known) -> bool {
    known.deleted_at.is_none() && known.absence.suspected()
}

/// A row of `refreshes`, as far as a read changes it or depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) hint_no: u64,
    pub(crate) answered_no: u64,
    pub(crate) told_no: u64,
    pub(crate) hinted_at: Option<UtcMicros>,
    pub(crate) hinted_again_at: Option<UtcMicros>,
    pub(crate) scheduled_at: Option<UtcMicros>,
    pub(crate) not_before: UtcMicros,
    pub(crate) claimed_until: Option<UtcMicros>,
    pub(crate) failures: u32,
    pub(crate) reason: Cause,
}

impl Look {
    /// The row of a connection that nobody hinted at, as far as is remembered.
    fn new(hints_forgotten: u64) -> Self {
        Self {
            hint_no: hints_forgotten,
            answered_no: hints_forgotten,
            told_no: hints_forgotten,
            hinted_at: None,
            hinted_again_at: None,
            scheduled_at: None,
            not_before: UtcMicros(0),
            claimed_until: None,
            failures: 0,
            reason: Cause::Schedule,
        }
    }

    /// A webhook hinted at it and no read has answered that yet.
    fn told(&self) -> bool {
        self.told_no > self.answered_no
    }

    /// A webhook hinted at it, and the read that answered may have come before the API knew: a second one follows (R2).
    fn second_look_follows(&self) -> bool {
        self.reason == Cause::Lag && self.scheduled_at.is_some()
    }

    /// Why a claim made now reads the row.
    pub(crate) fn cause(&self) -> Cause {
        match (self.hint_no > self.answered_no, self.told()) {
            (true, true) => Cause::Hint,
            (true, false) => Cause::Request,
            (false, _) => self.reason,
        }
    }

    /// The claim is answered: its hints, and no later ones (R1).
    fn answer(&mut self, claim: &Claim) {
        self.answered_no = self.answered_no.max(claim.hint_no);
        self.claimed_until = None;
        self.hinted_at = if self.hint_no > self.answered_no { self.hinted_again_at.or(self.hinted_at) } else { None };
    }
}

/// A row of `observations`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) observation: Observation,
    pub(crate) circumstances: Circumstances,
    pub(crate) verdict: Verdict,
    pub(crate) version: u64,
}

impl Record {
    /// The answer as `observations` keeps it: its word, and the status as it came.
    pub(crate) fn answer(&self) -> (&'static str, Option<String>) {
        match &self.observation.read.answer {
            Answer::Found { raw, .. } => ("found", Some(raw.to_string())),
            Answer::NotFound => ("not_found", None),
            Answer::NotListed => ("not_listed", None),
        }
    }
}

/// What [`Record::answer`] was written from; `None` where it cannot have been written.
pub(crate) fn answer(word: &str, raw: Option<Value>) -> Option<Answer> {
    match (word, raw) {
        ("found", Some(raw)) => {
            let status = ConnectionStatus::from_value(raw.clone()).ok()?;
            Some(Answer::Found { status: Box::new(status), raw })
        }
        ("not_found", None) => Some(Answer::NotFound),
        ("not_listed", None) => Some(Answer::NotListed),
        _ => None,
    }
}

/// What becomes of a row of `gaps`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GapChange {
    /// A gap was found.
    Opened { token: ConnectionToken, kind: &'static str, read_no: u64, found_at: UtcMicros },
    /// The oldest open gap of the connection is closed: its webhook may have come late.
    Late { token: ConnectionToken, at: UtcMicros },
}

/// How much of a row of `connections` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// Nothing.
    Not,
    /// `read_no`, `as_of` and `unchanged_reads`: the case of nearly every element of a list.
    Touched,
    /// All of it.
    Whole,
}

/// A connection's rows, before and (once judged) after.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rows {
    pub(crate) kept: Option<Kept>,
    pub(crate) depth: Depth,
    pub(crate) look: Option<Look>,
}

/// What the engine writes.
#[derive(Debug)]
pub(crate) struct Verdicts {
    /// What is answered to the caller, in the order asked.
    pub(crate) transitions: Vec<Transition>,
    /// The rows of each connection after all reads. `look: None`: the row of `refreshes` is removed.
    pub(crate) rows: BTreeMap<ConnectionToken, Rows>,
    pub(crate) records: Vec<Record>,
    pub(crate) events: Vec<ConnectionEvent>,
    pub(crate) gaps: Vec<GapChange>,
    /// A list is wanted by then, as the other question of a deletion (R3).
    pub(crate) list_at: Option<UtcMicros>,
}

/// Where reads are judged, one after the other.
pub(crate) struct Bench<'a> {
    rules: &'a Rules,
    app: AppState,
    now: UtcMicros,
    out: Verdicts,
}

impl<'a> Bench<'a> {
    /// `rows`: those of every connection in the batch, as locked and loaded; connections without any may be left out.
    pub(crate) fn new(
        rules: &'a Rules,
        app: AppState,
        rows: BTreeMap<ConnectionToken, (Option<Kept>, Option<Look>)>,
        now: UtcMicros,
    ) -> Self {
        let rows =
            rows.into_iter().map(|(token, (kept, look))| (token, Rows { kept, depth: Depth::Not, look })).collect();
        let out = Verdicts {
            transitions: Vec::new(),
            rows,
            records: Vec::new(),
            events: Vec::new(),
            gaps: Vec::new(),
            list_at: None,
        };
        Self { rules, app, now, out }
    }

    /// Judges one read.
    pub(crate) fn judge(&mut self, observation: &Observation) {
        let token = &observation.read.token;
        let mut rows = self.out.rows.remove(token).unwrap_or(Rows { kept: None, depth: Depth::Not, look: None });
        let circumstances = self.circumstances(&rows, observation.claim.as_ref());
        let before = rows.kept.as_ref().map(|kept| &kept.known);
        let mut transition = observe(before, &observation.read, circumstances, &self.rules.schedule);
        if self.app.told && transition.gap != Some(Gap::LateHint) {
            transition.gap = None;
        }
        if is_worth_a_record(before, transition.verdict) {
            self.out.records.push(Record {
                observation: observation.clone(),
                circumstances,
                verdict: transition.verdict,
                version: transition.after.as_ref().map_or(0, |after| after.version),
            });
        }
        self.note_gap(&transition, observation);
        self.out.list_at = [self.out.list_at, transition.list_at].into_iter().flatten().min();
        self.out.events.extend(transition.events.iter().cloned());
        self.keep(&mut rows, &transition);
        rows.look = self.look_again(rows.look.take(), &transition, observation.claim.as_ref());
        self.out.rows.insert(token.clone(), rows);
        self.out.transitions.push(transition);
    }

    /// What to write and to answer.
    pub(crate) fn verdicts(self) -> Verdicts {
        self.out
    }

    fn circumstances(&self, rows: &Rows, claim: Option<&Claim>) -> Circumstances {
        let cause = claim.map_or(Cause::Sweep, |claim| claim.cause);
        let few = self.app.missing <= self.rules.deletions_at_once_max
            || self.app.missing * 100 <= self.rules.deletions_at_once_percent * self.app.live;
        Circumstances {
            cause,
            hinted: matches!(cause, Cause::Hint | Cause::Lag)
                || rows.look.as_ref().is_some_and(|look| look.told() || look.second_look_follows()),
            deletions_allowed: few || rows.kept.as_ref().is_some_and(|kept| kept.approved_at.is_some()),
            announce: self.rules.announce_existing || self.app.swept,
        }
    }

    fn note_gap(&mut self, transition: &Transition, observation: &Observation) {
        let (token, read_no, at) = (observation.read.token.clone(), observation.read.read_no, observation.read.as_of);
        let opened = |token, kind| GapChange::Opened { token, kind, read_no, found_at: at };
        self.out.gaps.extend(transition.gap.map(|gap| match gap {
            Gap::Import => opened(token, "import"),
            Gap::Update => opened(token, "update"),
            Gap::Token => opened(token, "token"),
            Gap::LateHint => GapChange::Late { token, at },
        }));
    }

    /// Takes the state after the read over into the rows, and counts the app's missing and live connections on.
    fn keep(&mut self, rows: &mut Rows, transition: &Transition) {
        let Some(after) = &transition.after else { return };
        let depth = rows.kept.as_ref().map_or(Depth::Whole, |kept| depth(&kept.known, after));
        let was_missing = rows.kept.as_ref().is_some_and(Kept::missing);
        let was_live = rows.kept.as_ref().is_some_and(|kept| kept.known.deleted_at.is_none());
        self.app.missing = count_on(self.app.missing, was_missing, missing(after));
        self.app.live = count_on(self.app.live, was_live, after.deleted_at.is_none());
        let (mut held_at, mut approved_at) =
            rows.kept.as_ref().map_or((None, None), |kept| (kept.held_at, kept.approved_at));
        if transition.verdict == Verdict::DeletionHeld {
            held_at = held_at.or(Some(self.now));
        } else if !missing(after) {
            (held_at, approved_at) = (None, None);
        }
        let held_anew =
            rows.kept.as_ref().is_some_and(|kept| (kept.held_at, kept.approved_at) != (held_at, approved_at));
        rows.depth = rows.depth.max(if held_anew { Depth::Whole } else { depth });
        rows.kept = Some(Kept { known: after.clone(), held_at, approved_at });
    }

    /// The row of `refreshes` after the read; `None`: there is none.
    fn look_again(&self, before: Option<Look>, transition: &Transition, claim: Option<&Claim>) -> Option<Look> {
        let mut look = before.unwrap_or_else(|| Look::new(self.app.hints_forgotten));
        if let Some(claim) = claim {
            look.answer(claim);
        }
        match (transition.verdict, transition.due) {
            // A newer read has scheduled it.
            (Verdict::Stale, _) => {}
            (Verdict::Unknown, _) if look.hint_no <= look.answered_no => return None,
            // Nothing is due unless somebody hints; and then not at once again.
            (_, None) => {
                look.scheduled_at = None;
                look.not_before = look.not_before.max(self.now.plus(self.rules.schedule.hinted_reads_apart));
                look.reason = Cause::Schedule;
            }
            (verdict, Some(due)) => {
                let second_look_waits = look.reason == Cause::Lag && look.scheduled_at.is_some_and(|at| at > self.now);
                look.not_before = due.not_before;
                // A list or a request in between does not stand in for the second look after a hint (R2).
                if !(verdict == Verdict::Unchanged && second_look_waits && due.cause != Cause::Lag) {
                    look.scheduled_at = Some(due.scheduled_at);
                    look.reason = due.cause;
                }
            }
        }
        look.failures = 0;
        Some(look)
    }
}

fn count_on(count: u64, was: bool, is: bool) -> u64 {
    (count + u64::from(is)).saturating_sub(u64::from(was))
}

/// How much of the row a read changed.
fn depth(before: &Known, after: &Known) -> Depth {
    let same_but_touched = before.version == after.version
        && before.deleted_at == after.deleted_at
        && before.absence == after.absence
        && before.regression == after.regression
        && before.announced == after.announced
        && before.raw == after.raw;
    let same = same_but_touched
        && before.read_no == after.read_no
        && before.as_of == after.as_of
        && before.unchanged_reads == after.unchanged_reads;
    match (same, same_but_touched) {
        (true, _) => Depth::Not,
        (false, true) => Depth::Touched,
        (false, false) => Depth::Whole,
    }
}

/// Whether the state can be derived again only with this read on record.
fn is_worth_a_record(before: Option<&Known>, verdict: Verdict) -> bool {
    match verdict {
        Verdict::Stale | Verdict::Unknown => false,
        Verdict::Unchanged => before.is_some_and(|before| before.absence.suspected() || before.regression.is_some()),
        Verdict::Suspect
        | Verdict::Discovered
        | Verdict::Changed
        | Verdict::Revived
        | Verdict::Missing
        | Verdict::DeletionHeld
        | Verdict::Deleted => true,
    }
}
