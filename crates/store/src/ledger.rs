//! The books proven (R8): whether every number that an ingress run decided is stored or refused.
//!
//! Pure. What it cannot prove is what followed the last mark to leave a run that was killed: no one knows how many numbers it
//! had drawn.

use std::time::Duration;

use events::{SequenceRange, UtcMicros};
use serde::Serialize;
use uuid::Uuid;

use crate::books::union;

/// The books of one run of an ingress process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Books {
    /// The run.
    pub instance: Uuid,
    /// When it started; `None` where no mark of it arrived.
    pub started_at: Option<UtcMicros>,
    /// When its newest mark was made, by its own clock: for people.
    pub marked_at: Option<UtcMicros>,
    /// When a mark of it was last recorded, by the store's clock; `marked_at` where a version recorded it that noted no time.
    pub recorded_at: Option<UtcMicros>,
    /// By its marks, everything up to this number was stored or refused.
    pub decided_through: u64,
    /// It said that it ends and that nothing follows.
    pub ended: bool,
    /// Numbers that are stored, as deliveries or as dead letters, and those of dead letters that a person discarded.
    pub stored: Vec<SequenceRange>,
    /// Numbers that were refused.
    pub refused: Vec<SequenceRange>,
}

/// What the books of a run prove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// Every number up to the newest mark is accounted for.
    Balanced,
    /// The mark is so fresh that what it is waited for may still be on the way.
    Waiting {
        /// The missing numbers; none where only the last mark is waited for.
        missing: Vec<SequenceRange>,
    },
    /// Numbers were said to be stored and are not: lost, or in the spool of a machine that is away, or in the queue again
    /// because a person sent dead letters there.
    Holes {
        /// The missing numbers.
        missing: Vec<SequenceRange>,
    },
    /// All is accounted for up to the newest mark, but the run ended without its last one.
    UnprovenTail {
        /// Nothing is known of numbers above this one.
        after: u64,
    },
}

impl Verdict {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Balanced => "balanced",
            Self::Waiting { .. } => "waiting",
            Self::Holes { .. } => "holes",
            Self::UnprovenTail { .. } => "unproven tail",
        }
    }

    /// How many numbers are missing for good, as far as can be told.
    pub fn holes(&self) -> u64 {
        match self {
            Self::Holes { missing } => missing.iter().map(|range| range.through - range.from + 1).sum(),
            Self::Balanced | Self::Waiting { .. } | Self::UnprovenTail { .. } => 0,
        }
    }

    /// It, with what an earlier look tells that found the run marked `through` this number, so long ago that nothing takes
    /// longer on its way: what was marked then and is missing still is a hole, however fresh the newest mark is.
    #[must_use]
    pub fn after_a_look(self, through: u64) -> Self {
        let Self::Waiting { missing } = &self else { return self };
        let marked_then = |range: &SequenceRange| {
            let through = range.through.min(through);
            (range.from <= through).then_some(SequenceRange { through, ..*range })
        };
        let missing: Vec<_> = missing.iter().filter_map(marked_then).collect();
        if missing.is_empty() { self } else { Self::Holes { missing } }
    }

    /// It, where nobody goes on and `ended` tells whether the last mark came: that is waited for.
    #[must_use]
    pub fn to_the_end(self, ended: bool) -> Self {
        if self == Self::Balanced && !ended { Self::Waiting { missing: Vec::new() } } else { self }
    }
}

impl Books {
    /// What they prove at `now`, by the store's clock. A run of which no mark came for `silent_after` is not running any more,
    /// or cannot reach us; and what was on its way when its newest mark was recorded has come, or will not come by itself.
    ///
    /// A run that ended waits for as long as one that goes on. Its last mark has come through the queue behind what it speaks
    /// of, but a consumer may hold that in a batch, or have died with it so that the broker gives it to another, or it comes
    /// by the queue of dead letters.
    pub fn verdict(&self, now: UtcMicros, silent_after: Duration) -> Verdict {
        let missing = self.missing();
        let fresh = self.recorded_at.is_some_and(|at| now.since(at) < silent_after);
        match (missing.is_empty(), fresh, self.ended) {
            (false, true, _) => Verdict::Waiting { missing },
            (false, false, _) => Verdict::Holes { missing },
            (true, _, true) | (true, true, false) => Verdict::Balanced,
            (true, false, false) => Verdict::UnprovenTail { after: self.highest() },
        }
    }

    /// Numbers up to the newest mark that are neither stored nor refused.
    fn missing(&self) -> Vec<SequenceRange> {
        let mut missing = Vec::new();
        let mut next = 1;
        for range in union(self.stored.iter().chain(&self.refused).copied()) {
            if range.from > next && next <= self.decided_through {
                missing.push(SequenceRange { from: next, through: (range.from - 1).min(self.decided_through) });
            }
            next = next.max(range.through.saturating_add(1));
        }
        if next <= self.decided_through {
            missing.push(SequenceRange { from: next, through: self.decided_through });
        }
        missing
    }

    fn highest(&self) -> u64 {
        let accounted = self.stored.iter().chain(&self.refused).map(|range| range.through);
        accounted.max().unwrap_or(0).max(self.decided_through)
    }
}

#[cfg(test)]
mod tests {
    //! Each verdict, from made-up books.

    use super::*;

    const SILENT_AFTER: Duration = Duration::from_mins(2);

    fn ranges(pairs: &[(u64, u64)]) -> Vec<SequenceRange> {
        pairs.iter().map(|(from, through)| SequenceRange { from: *from, through: *through }).collect()
    }

    fn books(decided_through: u64, ended: bool, stored: &[(u64, u64)], refused: &[(u64, u64)]) -> Books {
        Books {
            instance: Uuid::nil(),
            started_at: Some(UtcMicros(0)),
            marked_at: Some(UtcMicros(0)),
            recorded_at: Some(UtcMicros(0)),
            decided_through,
            ended,
            stored: ranges(stored),
            refused: ranges(refused),
        }
    }

    fn soon() -> UtcMicros {
        UtcMicros(0).plus(Duration::from_secs(1))
    }

    fn late() -> UtcMicros {
        UtcMicros(0).plus(Duration::from_hours(1))
    }

    #[test]
    fn a_run_that_ended_with_everything_stored_or_refused_is_balanced() {
        let books = books(10, true, &[(1, 4), (6, 9)], &[(5, 5), (10, 10)]);
        assert_eq!(books.verdict(late(), SILENT_AFTER), Verdict::Balanced);
    }

    #[test]
    fn a_number_may_be_stored_and_refused() {
        assert_eq!(books(3, true, &[(1, 3)], &[(2, 3)]).verdict(late(), SILENT_AFTER), Verdict::Balanced);
    }

    #[test]
    fn missing_numbers_are_waited_for_while_the_mark_is_fresh_and_then_holes() {
        let books = books(10, true, &[(3, 4), (6, 8)], &[]);
        let missing = ranges(&[(1, 2), (5, 5), (9, 10)]);
        assert_eq!(books.verdict(soon(), SILENT_AFTER), Verdict::Waiting { missing: missing.clone() });
        let verdict = books.verdict(late(), SILENT_AFTER);
        assert_eq!(verdict, Verdict::Holes { missing });
        assert_eq!(verdict.holes(), 5);
    }

    #[test]
    fn what_two_looks_miss_is_a_hole_however_fresh_the_mark_is() {
        let waiting = books(10, false, &[(1, 3), (6, 8)], &[]).verdict(soon(), SILENT_AFTER);
        let missing = ranges(&[(4, 5), (9, 10)]);
        assert_eq!(waiting, Verdict::Waiting { missing });
        assert_eq!(waiting.clone().after_a_look(3), waiting, "marked since");
        assert_eq!(waiting.clone().after_a_look(4), Verdict::Holes { missing: ranges(&[(4, 4)]) });
        assert_eq!(waiting.after_a_look(9), Verdict::Holes { missing: ranges(&[(4, 5), (9, 9)]) });
        for verdict in [Verdict::Balanced, Verdict::UnprovenTail { after: 3 }] {
            assert_eq!(verdict.clone().after_a_look(10), verdict);
        }
    }

    #[test]
    fn where_nobody_goes_on_the_last_mark_is_waited_for() {
        let goes_on = books(2, false, &[(1, 2)], &[]);
        let waiting = Verdict::Waiting { missing: Vec::new() };
        assert_eq!(goes_on.verdict(soon(), SILENT_AFTER).to_the_end(false), waiting);
        let tail = Verdict::UnprovenTail { after: 2 };
        assert_eq!(goes_on.verdict(late(), SILENT_AFTER).to_the_end(false), tail, "it was killed");
        assert_eq!(books(2, true, &[(1, 2)], &[]).verdict(soon(), SILENT_AFTER).to_the_end(true), Verdict::Balanced);
    }

    #[test]
    fn the_clock_of_an_ingress_decides_nothing() {
        for marked_at in [UtcMicros(0).minus(Duration::from_hours(3)), UtcMicros(0).plus(Duration::from_hours(3))] {
            let books = Books { marked_at: Some(marked_at), ..books(2, false, &[(1, 1)], &[]) };
            assert!(matches!(books.verdict(soon(), SILENT_AFTER), Verdict::Waiting { .. }));
            assert!(matches!(books.verdict(late(), SILENT_AFTER), Verdict::Holes { .. }));
        }
    }

    #[test]
    fn what_is_stored_beyond_the_mark_proves_nothing_about_numbers_between() {
        assert_eq!(books(2, true, &[(1, 2), (9, 9)], &[]).verdict(late(), SILENT_AFTER), Verdict::Balanced);
    }

    #[test]
    fn a_run_that_fell_silent_without_its_last_mark_has_an_unproven_tail() {
        let books = books(5, false, &[(1, 7)], &[]);
        assert_eq!(books.verdict(soon(), SILENT_AFTER), Verdict::Balanced);
        assert_eq!(books.verdict(late(), SILENT_AFTER), Verdict::UnprovenTail { after: 7 });
    }

    #[test]
    fn a_run_that_decided_nothing_is_balanced() {
        assert_eq!(books(0, true, &[], &[]).verdict(late(), SILENT_AFTER), Verdict::Balanced);
    }
}
