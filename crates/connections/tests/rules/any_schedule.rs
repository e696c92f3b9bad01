//! R4 for every state and every figure: the next look is later than the last, within its bounds.

use std::time::Duration;

use connections::{Cause, Circumstances, Read, Schedule, observe};
use events::ConnectionStatus;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::life::{but, found, minute, not_found, not_listed, pending};

fn any_answer() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec!["PENDING", "READY", "UPDATING", "ERRORED", "UPDATE_ERROR", "DREAMING"]);
    // Years around, so that a wrong clock is among them.
    let time = || prop::option::of(-3_000_000_i64..40_000_000);
    (word, time(), time(), prop::option::of(any::<bool>()), any::<bool>()).prop_map(
        |(status, updated, synced, credentials, retryable)| {
            but(
                &pending(),
                json!({
                    "status": status, "updatedAt": updated.map(minute), "lastSync": synced.map(minute),
                    "hasCredentials": credentials, "errorDetails": {"retryable": retryable},
                }),
            )
        },
    )
}

fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        4 => (0_u64..2_000_000).prop_map(Duration::from_secs),
        1 => Just(Duration::ZERO),
        1 => Just(Duration::MAX),
    ]
}

fn any_schedule() -> impl Strategy<Value = Schedule> {
    prop::array::uniform11(any_duration()).prop_map(|[a, b, c, d, e, f, g, h, i, j, k]| Schedule {
        running: a,
        automatic: b,
        manual: c,
        retryable: d,
        other: e,
        floor: f,
        floor_max: g,
        ceiling: h,
        second_look: i,
        deletion_rounds_apart: j,
        hinted_reads_apart: k,
    })
}

fn status(answer: &Value) -> ConnectionStatus {
    ConnectionStatus::from_value(answer.clone()).unwrap()
}

fn any_read() -> impl Strategy<Value = (Read, Circumstances)> {
    let answer = prop_oneof![3 => any_answer().prop_map(Some), 1 => Just(None)];
    let read = (answer, 1_u64..40, 0_i64..5_000, any::<bool>()).prop_map(|(answer, number, at, alone)| match answer {
        Some(answer) => found(number, minute(at), &answer),
        None if alone => not_found(number, minute(at)),
        None => not_listed(number, minute(at)),
    });
    let circumstances = (prop::sample::select(Cause::ALL.to_vec()), any::<bool>(), any::<bool>()).prop_map(
        |(cause, deletions_allowed, announce)| Circumstances {
            cause,
            hinted: matches!(cause, Cause::Hint | Cause::Lag),
            deletions_allowed,
            announce,
        },
    );
    (read, circumstances)
}

proptest! {
    #[test]
    fn the_plain_schedule_lies_between_floor_and_ceiling(answer in any_answer(), unchanged in 0_u32..50, at in 0_i64..5_000_000) {
        let (schedule, read) = (Schedule::default(), minute(at));
        let due = schedule.next_due(&status(&answer), unchanged, read);
        let floor = Duration::from_mins(5 * 2_u64.pow(unchanged.min(20))).min(Duration::from_hours(24));
        prop_assert!(due >= read.plus(floor) && due <= read.plus(Duration::from_hours(7 * 24)), "{due}");
        prop_assert!(schedule.next_due(&status(&answer), unchanged + 1, read) >= due, "more unchanged reads, sooner");
    }

    #[test]
    fn no_figure_brings_the_next_look_to_the_last_read(
        schedule in any_schedule(), answer in any_answer(), unchanged in any::<u32>(), at in 0_i64..5_000_000,
    ) {
        let read = minute(at);
        let due = schedule.next_due(&status(&answer), unchanged, read);
        prop_assert!(due > read);
        prop_assert!(due <= read.plus(schedule.ceiling.max(Duration::from_micros(1))));
    }

    #[test]
    fn the_next_look_is_never_in_the_past_of_any_read(
        schedule in any_schedule(), reads in prop::collection::vec(any_read(), 1..20),
    ) {
        let mut known = None;
        for (read, circumstances) in reads {
            let transition = observe(known.as_ref(), &read, circumstances, &schedule);
            known = transition.after;
            match (&known, transition.due) {
                (None, due) => prop_assert_eq!(due, None),
                (Some(known), None) => prop_assert!(known.deleted_at.is_some()),
                (Some(known), Some(due)) => {
                    prop_assert!(known.deleted_at.is_none());
                    prop_assert!(due.scheduled_at > read.as_of);
                    prop_assert!(due.not_before >= read.as_of.plus(schedule.hinted_reads_apart));
                }
            }
        }
    }
}
