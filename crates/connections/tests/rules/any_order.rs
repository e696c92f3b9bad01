//! R2 and R3 for every history: reads in any order and any multiplicity end in the same state, which is the one that the rules
//! name; and nothing is deleted without two rounds of both signs.

use connections::{Answer, Known, Read, Verdict};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::life::{Life, but, found, not_found, not_listed, pending, second};

/// Seconds between the two rounds of a deletion, and before a second look.
const ROUNDS_APART: i64 = 600;
const SECOND_LOOK: i64 = 60;

/// Signs of one kind that are kept whatever happens; a longer series may be thinned out.
const SIGNS_KEPT: usize = 8;

/// What Finlink is asked next, and what it answers.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// It is there; `updatedAt` is missing or so much later than the one that counts.
    Found(Option<i64>),
    /// It is there, `updatedAt` so much earlier; repeated, so much later than that.
    WentBack {
        by: i64,
        then_on: i64,
    },
    NotFound,
    NotListed,
}

/// A step, asked so many seconds after the one before and answered so many seconds later.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    step: Step,
    after: i64,
    took: i64,
}

fn any_step() -> impl Strategy<Value = Asked> {
    let step = prop_oneof![
        3 => prop::option::weighted(0.8, 0_i64..3).prop_map(Step::Found),
        2 => (1_i64..4, 0_i64..2).prop_map(|(by, then_on)| Step::WentBack { by, then_on }),
        3 => Just(Step::NotFound),
        3 => Just(Step::NotListed),
    ];
    (step, prop::sample::select(vec![0, 1, 30, 60, 300, 600, 700]), 0_i64..20).prop_map(|(step, after, took)| Asked {
        step,
        after,
        took,
    })
}

/// The reads of a history in the order of their numbers, the first of which found the connection.
#[derive(Debug, Default)]
struct History {
    reads: Vec<Read>,
    /// When the last question was asked.
    asked_at: i64,
    /// The `updatedAt` that counts.
    counted: Option<i64>,
}

impl History {
    fn of(steps: &[Asked]) -> Self {
        let mut history = Self::default();
        history.found(Some(10), 0);
        for asked in steps {
            history.asked_at += asked.after;
            match asked.step {
                Step::Found(on) => history.found(on.map(|on| history.counted.unwrap_or(10) + on), asked.took),
                Step::WentBack { by, then_on } => history.went_back(by, then_on, asked.took),
                Step::NotFound if history.signs(&Answer::NotFound) < SIGNS_KEPT => {
                    history.absent(not_found, asked.took);
                }
                Step::NotListed if history.signs(&Answer::NotListed) < SIGNS_KEPT => {
                    history.absent(not_listed, asked.took);
                }
                Step::NotFound | Step::NotListed => (),
            }
        }
        history
    }

    fn found(&mut self, updated_at: Option<i64>, took: i64) {
        self.answer(updated_at, took);
        self.counted = updated_at;
    }

    fn went_back(&mut self, by: i64, then_on: i64, took: i64) {
        let Some(counted) = self.counted else { return };
        let suspect = counted - by;
        self.answer(Some(suspect), took);
        self.asked_at += took + SECOND_LOOK;
        self.found(Some(suspect + then_on), took / 2);
    }

    fn answer(&mut self, updated_at: Option<i64>, took: i64) {
        let read_no = self.next_number();
        let answer = but(&pending(), json!({"updatedAt": updated_at.map(second), "readBy": read_no}));
        self.reads.push(found(read_no, second(self.asked_at + took), &answer));
    }

    fn absent(&mut self, sign: fn(u64, events::UtcMicros) -> Read, took: i64) {
        self.reads.push(sign(self.next_number(), second(self.asked_at + took)));
    }

    fn next_number(&self) -> u64 {
        self.reads.len() as u64 + 1
    }

    fn signs(&self, answer: &Answer) -> usize {
        self.reads.iter().filter(|read| read.answer == *answer).count()
    }

    /// What the rules name: the last read that found it whole, and whether the signs after it are a proof.
    fn end(&self) -> End {
        let (place, raw) = self
            .reads
            .iter()
            .enumerate()
            .rev()
            .find_map(|(place, read)| raw_of(read).map(|raw| (place, raw)))
            .expect("the first read found it");
        End { raw, read_no: self.reads[place].read_no, deleted: prove_deletion(&self.reads[place + 1..]) }
    }
}

fn raw_of(read: &Read) -> Option<Value> {
    match &read.answer {
        Answer::Found { raw, .. } => Some(raw.clone()),
        Answer::NotFound | Answer::NotListed => None,
    }
}

/// R3 in other words: there are a 404 and an absence from a list, and another of each ten minutes after both.
fn prove_deletion(reads: &[Read]) -> bool {
    let of = |answer: &Answer| -> Vec<i64> {
        reads.iter().filter(|read| read.answer == *answer).map(|read| read.as_of.0).collect()
    };
    let (not_found, not_listed) = (of(&Answer::NotFound), of(&Answer::NotListed));
    not_found.iter().any(|first_404| {
        not_listed.iter().any(|first_unlisted| {
            let second_round = first_404.max(first_unlisted) + ROUNDS_APART * 1_000_000;
            [&not_found, &not_listed].iter().all(|sign| sign.iter().any(|at| *at >= second_round))
        })
    })
}

#[derive(Debug, Clone, PartialEq)]
struct End {
    raw: Value,
    read_no: u64,
    deleted: bool,
}

impl End {
    fn of(known: &Known) -> Self {
        assert_eq!(
            serde_json::to_value(&known.status).unwrap()["readBy"],
            known.raw["readBy"],
            "status and raw belong together"
        );
        Self { raw: known.raw.clone(), read_no: known.read_no, deleted: known.deleted_at.is_some() }
    }
}

/// A history and its reads in another order with copies, the first of which found the connection: of a token that was never
/// found nothing is remembered.
pub(crate) fn any_deliveries() -> impl Strategy<Value = (Vec<Asked>, Vec<Read>)> {
    prop::collection::vec(any_step(), 1..22).prop_flat_map(|steps| {
        let reads = History::of(&steps).reads;
        let copies = prop::collection::vec(1_usize..4, reads.len());
        let deliveries = copies.prop_flat_map(move |copies| {
            let all: Vec<Read> =
                reads.iter().zip(copies).flat_map(|(read, copies)| std::iter::repeat_n(read.clone(), copies)).collect();
            Just(all).prop_shuffle()
        });
        (Just(steps), deliveries.prop_map(found_first))
    })
}

fn found_first(mut deliveries: Vec<Read>) -> Vec<Read> {
    let first_found = deliveries.iter().position(|read| raw_of(read).is_some()).expect("one read found it");
    deliveries.rotate_left(first_found);
    deliveries
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn reads_in_any_order_and_any_multiplicity_end_in_the_same_state((steps, deliveries) in any_deliveries()) {
        let history = History::of(&steps);
        let mut in_order = Life::new();
        for read in &history.reads {
            in_order.observe(read);
        }
        prop_assert_eq!(End::of(in_order.known()), history.end(), "in order");
        let mut life = Life::new();
        for read in &deliveries {
            life.observe(read);
        }
        prop_assert_eq!(End::of(life.known()), history.end(), "in another order");
        prop_assert_eq!(&life.known().absence, &in_order.known().absence);
        prop_assert_eq!(&life.known().as_of, &in_order.known().as_of);
    }

    #[test]
    fn observing_a_read_again_at_once_changes_nothing((_, deliveries) in any_deliveries()) {
        let mut life = Life::new();
        for read in &deliveries {
            life.observe(read);
            let before = life.known().clone();
            let again = life.observe(read);
            prop_assert_eq!(again.verdict, Verdict::Stale);
            prop_assert_eq!(&again.events, &vec![]);
            prop_assert_eq!(life.known(), &before);
        }
    }

    #[test]
    fn nothing_is_deleted_without_two_rounds_of_both_signs_and_permission(
        steps in prop::collection::vec((any_step(), any::<bool>()), 1..40),
    ) {
        let (steps, allowed): (Vec<Asked>, Vec<bool>) = steps.into_iter().unzip();
        let history = History::of(&steps);
        let mut life = Life::new();
        let mut since_found = Vec::new();
        for (read, allowed) in history.reads.iter().zip(allowed.iter().cycle()) {
            life.circumstances.deletions_allowed = *allowed;
            let transition = life.observe(read);
            if raw_of(read).is_some() && transition.verdict != Verdict::Suspect {
                since_found.clear();
            } else {
                since_found.push(read.clone());
            }
            match transition.verdict {
                Verdict::Deleted => prop_assert!(*allowed && prove_deletion(&since_found)),
                Verdict::DeletionHeld => prop_assert!(!*allowed && prove_deletion(&since_found)),
                Verdict::Missing => prop_assert!(!prove_deletion(&since_found)),
                _ => (),
            }
        }
    }
}

#[test]
fn a_long_absence_is_kept_within_bounds_and_stays_provable() {
    let mut life = Life::starting_with(&pending());
    life.circumstances.deletions_allowed = false;
    for number in 2..2_000 {
        let sign = if number % 2 == 0 { not_found } else { not_listed };
        life.observe(&sign(number, second(number as i64 * 300)));
    }
    assert!(life.known().absence.reads().len() <= 2 * (SIGNS_KEPT + 2));
    assert_eq!(life.known().absence.since(), Some(second(600)), "the first sign is kept");
    life.circumstances.deletions_allowed = true;
    assert_eq!(life.observe(&not_found(2_000, second(600_000))).verdict, Verdict::Deleted);
}
