//! How many holes the books have, of a run that still leaves marks too.
//!
//! One look cannot tell a hole from a message on its way: behind a fresh mark all that is missing is waited for. Of two looks
//! the second can: what the first found marked as stored, and the second still misses, is not on its way.

use std::collections::BTreeMap;

use events::{SequenceRange, UtcMicros};
use store::{Books, Verdict};
use uuid::Uuid;

use crate::commands::ledger::SILENT_AFTER;

/// What the last look found of each run.
#[derive(Default)]
pub(super) struct Proofs {
    marked_through: BTreeMap<Uuid, u64>,
}

impl Proofs {
    /// Numbers that are missing for good as far as can be told. To be asked further apart than a message takes.
    pub(super) fn holes(&mut self, books: &[Books], now: UtcMicros) -> u64 {
        let before = std::mem::take(&mut self.marked_through);
        let mut holes = 0;
        for run in books {
            holes += match run.verdict(now, SILENT_AFTER) {
                Verdict::Waiting { missing } => {
                    let through = before.get(&run.instance).copied().unwrap_or(0);
                    missing.iter().map(|range| up_to(*range, through)).sum()
                }
                verdict => verdict.holes(),
            };
            self.marked_through.insert(run.instance, run.decided_through);
        }
        holes
    }
}

/// How many numbers of a range are not above `through`.
fn up_to(range: SequenceRange, through: u64) -> u64 {
    (through.min(range.through) + 1).saturating_sub(range.from)
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
            decided_through,
            ended: false,
            stored: stored.iter().map(|(from, through)| SequenceRange { from: *from, through: *through }).collect(),
            refused: Vec::new(),
        }
    }

    #[test]
    fn what_two_looks_miss_is_a_hole_and_what_came_since_is_waited_for() {
        let mut proofs = Proofs::default();
        let now = UtcMicros(1_000_000);
        assert_eq!(
            proofs.holes(&[run(10, &[(1, 3), (6, 8)], 1_000_000)], now),
            0,
            "4, 5, 9 and 10 may be on their way"
        );
        assert_eq!(proofs.holes(&[run(30, &[(1, 3), (6, 9), (11, 28)], 1_000_000)], now), 3, "4, 5 and 10 are not");
        assert_eq!(proofs.holes(&[run(30, &[(1, 30)], 1_000_000)], now), 0, "they came after all");
    }

    #[test]
    fn a_run_that_fell_silent_needs_one_look() {
        let now = UtcMicros(3_600_000_000);
        assert_eq!(Proofs::default().holes(&[run(10, &[(1, 9)], 0)], now), 1);
    }
}
