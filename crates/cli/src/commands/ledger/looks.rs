//! What look after look says of the books. Pure.
//!
//! One look cannot tell a hole in the books of a run that goes on from a message on its way: every mark is fresh. Who looks
//! for long enough can. Not here: when to look again.

use std::collections::BTreeMap;

use events::UtcMicros;
use serde::Serialize;
use store::{Books, Verdict};
use uuid::Uuid;

use super::SILENT_AFTER;

/// What is said of one run.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    #[serde(flatten)]
    pub(super) books: Books,
    #[serde(flatten)]
    pub(super) verdict: Verdict,
}

/// What the lines come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    NoHoles,
    /// Nothing is missing for good yet, and something may come.
    Waiting,
    /// So many numbers.
    Holes(u64),
}

impl Answer {
    pub(super) fn of(lines: &[Line]) -> Self {
        match lines.iter().map(|line| line.verdict.holes()).sum() {
            0 if lines.iter().any(|line| matches!(line.verdict, Verdict::Waiting { .. })) => Self::Waiting,
            0 => Self::NoHoles,
            holes => Self::Holes(holes),
        }
    }
}

/// The looks so far.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// When a look was taken that later ones are compared with, and how far each run had marked then.
    earlier: Option<(UtcMicros, BTreeMap<Uuid, u64>)>,
}

impl Looks {
    /// Judges what a look at `now` finds. Where every ingress was `stopped`, each run has to have left its last mark.
    pub(super) fn judge(&mut self, books: Vec<Books>, now: UtcMicros, stopped: bool) -> Vec<Line> {
        let marked = books.iter().map(|run| (run.instance, run.decided_through)).collect();
        let earlier = match &self.earlier {
            Some((at, _)) if now.since(*at) < SILENT_AFTER => BTreeMap::new(),
            _ => self.earlier.replace((now, marked)).map(|(_, marked)| marked).unwrap_or_default(),
        };
        let line = |books: Books| {
            let through = earlier.get(&books.instance).copied().unwrap_or(0);
            let verdict = books.verdict(now, SILENT_AFTER).after_a_look(through);
            Line { verdict: if stopped { verdict.to_the_end(books.ended) } else { verdict }, books }
        };
        books.into_iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    //! A run that goes on, leaving marks, and never gets number 2 stored.

    use events::SequenceRange;

    use super::*;

    fn at(seconds: i64) -> UtcMicros {
        UtcMicros(1_767_225_600_000_000 + seconds * 1_000_000)
    }

    fn run(decided_through: u64, missing: u64, recorded_at: UtcMicros) -> Books {
        let range = |from, through| SequenceRange { from, through };
        Books {
            instance: Uuid::nil(),
            started_at: Some(at(0)),
            marked_at: Some(recorded_at),
            recorded_at: Some(recorded_at),
            decided_through,
            ended: false,
            stored: vec![range(1, missing - 1), range(missing + 1, decided_through)],
            refused: Vec::new(),
        }
    }

    #[test]
    fn what_is_missing_for_two_minutes_is_a_hole_although_marks_go_on() {
        let mut looks = Looks::default();
        let mut look = |run: Books| {
            let now = run.recorded_at.unwrap();
            Answer::of(&looks.judge(vec![run], now, false))
        };
        assert_eq!(look(run(3, 2, at(0))), Answer::Waiting);
        assert_eq!(look(run(5, 2, at(119))), Answer::Waiting);
        assert_eq!(look(run(9, 2, at(120))), Answer::Holes(1));
    }

    #[test]
    fn what_was_marked_meanwhile_has_its_two_minutes() {
        let mut looks = Looks::default();
        let mut look = |run: Books| {
            let now = run.recorded_at.unwrap();
            Answer::of(&looks.judge(vec![run], now, false))
        };
        assert_eq!(look(run(3, 2, at(0))), Answer::Waiting);
        assert_eq!(look(run(9, 7, at(130))), Answer::Waiting, "2 came, 7 is young");
        assert_eq!(look(run(9, 7, at(249))), Answer::Waiting);
        assert_eq!(look(run(9, 7, at(250))), Answer::Holes(1));
    }

    #[test]
    fn where_every_ingress_was_stopped_the_last_mark_is_waited_for() {
        let goes_on = Books { stored: vec![SequenceRange { from: 1, through: 3 }], ..run(3, 2, at(0)) };
        let answer = |books: Books, now, stopped| Answer::of(&Looks::default().judge(vec![books], now, stopped));
        assert_eq!(answer(goes_on.clone(), at(1), false), Answer::NoHoles);
        assert_eq!(answer(goes_on.clone(), at(1), true), Answer::Waiting);
        assert_eq!(answer(Books { ended: true, ..goes_on.clone() }, at(1), true), Answer::NoHoles);
        assert_eq!(answer(goes_on, at(600), true), Answer::NoHoles, "it was killed: its tail is unproven");
    }
}
