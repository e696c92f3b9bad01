//! How many holes the books have, of a run that still leaves marks too; asked every few minutes.
//!
//! One look cannot tell a hole from a message on its way: behind a fresh mark all that is missing is waited for. Of two looks
//! the second can: what the first found marked as stored, and the second still misses, is not on its way.
//!
//! The consumers' own note of what they recorded is looked at, which is cheap. The deliveries themselves are read where that
//! note shows other holes than it did at the last such reading, and once a day: the note lacks what a program of an older
//! version recorded, and knows nothing of deliveries that the store lost. So what is answered is what [`Inspect::books`]
//! shows, or showed less than a day ago.

use std::collections::BTreeMap;
use std::time::Duration;

use events::{SequenceRange, UtcMicros};
use store::{Books, Inspect, StoreError, Verdict};
use uuid::Uuid;

use crate::commands::ledger::SILENT_AFTER;

/// The deliveries are read at least this often.
const DELIVERIES_READ_EVERY: Duration = Duration::from_hours(24);

/// What was found last.
#[derive(Default)]
pub(super) struct Proofs {
    /// How far each run had marked at the last look; `None` before the first.
    marked: Option<Marked>,
    deliveries: Option<Reading>,
}

type Marked = BTreeMap<Uuid, u64>;

/// Numbers that are missing for good, by run; a run that misses none is left out.
type Holes = BTreeMap<Uuid, Vec<SequenceRange>>;

/// What the last reading of the deliveries showed.
struct Reading {
    at: UtcMicros,
    /// Holes by the consumers' note at that time.
    booked: Holes,
    /// How many by the deliveries.
    holes: u64,
}

impl Proofs {
    /// Numbers that are missing for good as far as can be told. To be asked further apart than a message takes.
    pub(super) async fn holes(&mut self, inspect: &dyn Inspect, now: UtcMicros) -> Result<u64, StoreError> {
        let noted = inspect.booked().await?;
        let before = self.marked.clone().unwrap_or_default();
        let booked = holes(&noted, &before, now);
        let found = if let Some(holes) = self.still(&booked, now) {
            holes
        } else {
            let found = count(&holes(&inspect.books().await?, &before, now));
            // A first look waits for what it misses: what it shows holds until the second.
            self.deliveries = self.marked.is_some().then_some(Reading { at: now, booked, holes: found });
            found
        };
        self.marked = Some(marked(&noted));
        Ok(found)
    }

    /// What the last reading of the deliveries showed, where it holds still.
    fn still(&self, booked: &Holes, now: UtcMicros) -> Option<u64> {
        let last = self.deliveries.as_ref()?;
        (last.booked == *booked && now.since(last.at) < DELIVERIES_READ_EVERY).then_some(last.holes)
    }
}

fn marked(books: &[Books]) -> Marked {
    books.iter().map(|run| (run.instance, run.decided_through)).collect()
}

/// What these books miss for good, after a look that found `before`.
fn holes(books: &[Books], before: &Marked, now: UtcMicros) -> Holes {
    let of = |run: &Books| {
        let through = before.get(&run.instance).copied().unwrap_or(0);
        match run.verdict(now, SILENT_AFTER).after_a_look(through) {
            Verdict::Holes { missing } => Some((run.instance, missing)),
            Verdict::Balanced | Verdict::Waiting { .. } | Verdict::UnprovenTail { .. } => None,
        }
    };
    books.iter().filter_map(of).collect()
}

fn count(holes: &Holes) -> u64 {
    holes.values().flatten().map(|range| range.through - range.from + 1).sum()
}

#[cfg(test)]
mod tests {
    //! A run that goes on leaving marks, and what is missing in it.

    use super::*;

    fn run(decided_through: u64, stored: &[(u64, u64)], marked_at: i64) -> Books {
        Books {
            instance: Uuid::nil(),
            started_at: Some(UtcMicros(0)),
            marked_at: Some(UtcMicros(marked_at)),
            recorded_at: Some(UtcMicros(marked_at)),
            decided_through,
            ended: false,
            stored: stored.iter().map(|(from, through)| SequenceRange { from: *from, through: *through }).collect(),
            refused: Vec::new(),
        }
    }

    #[test]
    fn what_two_looks_miss_is_a_hole_and_what_came_since_is_waited_for() {
        let now = UtcMicros(1_000_000);
        let looks = [
            (run(10, &[(1, 3), (6, 8)], 1_000_000), 0, "4, 5, 9 and 10 may be on their way"),
            (run(30, &[(1, 3), (6, 9), (11, 28)], 1_000_000), 3, "4, 5 and 10 are not"),
            (run(30, &[(1, 30)], 1_000_000), 0, "they came after all"),
        ];
        let mut before = Marked::new();
        for (run, expected, why) in looks {
            assert_eq!(count(&holes(std::slice::from_ref(&run), &before, now)), expected, "{why}");
            before = marked(&[run]);
        }
    }

    #[test]
    fn a_run_that_fell_silent_needs_one_look() {
        let now = UtcMicros(3_600_000_000);
        assert_eq!(count(&holes(&[run(10, &[(1, 9)], 0)], &Marked::new(), now)), 1);
    }

    #[test]
    fn deliveries_are_read_at_first_daily_and_when_the_note_shows_other_holes() {
        let start = UtcMicros(1_767_225_600_000_000);
        let minutes = |minutes| start.plus(Duration::from_mins(minutes));
        let missing = |from, through| Holes::from([(Uuid::nil(), vec![SequenceRange { from, through }])]);
        let mut proofs = Proofs::default();
        assert_eq!(proofs.still(&Holes::new(), start), None, "at first");
        proofs.deliveries = Some(Reading { at: start, booked: missing(1, 5), holes: 2 });
        assert_eq!(proofs.still(&missing(1, 5), minutes(5)), Some(2), "what the note lacks was found there");
        assert_eq!(proofs.still(&missing(1, 6), minutes(5)), None);
        assert_eq!(proofs.still(&missing(2, 6), minutes(5)), None, "one was filled, and there is another");
        assert_eq!(proofs.still(&Holes::new(), minutes(5)), None, "all were filled");
        assert_eq!(proofs.still(&missing(1, 5), minutes(24 * 60)), None);
    }
}
