//! R3: when a connection is deleted, and when it is there again.

use connections::{Cause, Sign, Verdict};
use events::EventType;
use serde_json::json;

use crate::life::{Life, but, found, kinds, minute, next, not_found, not_listed, ready, second};

/// Missing since minute 100, both signs seen twice 10 minutes apart: deleted at minute 111.
fn deleted() -> Life {
    let mut life = Life::starting_with(&ready());
    life.observe(&not_listed(2, minute(99)));
    life.observe(&not_found(3, minute(100)));
    life.observe(&not_found(4, minute(110)));
    assert_eq!(life.observe(&not_listed(5, minute(111))).verdict, Verdict::Deleted);
    life
}

#[test]
fn two_rounds_of_both_signs_ten_minutes_apart_are_a_deletion() {
    let mut life = Life::starting_with(&ready());
    assert_eq!(life.observe(&not_listed(2, minute(99))).verdict, Verdict::Missing);
    assert_eq!(life.observe(&not_found(3, minute(100))).verdict, Verdict::Missing);
    assert_eq!(life.known().absence.first_round(), Some(minute(100)));
    assert_eq!(life.observe(&not_found(4, minute(110))).verdict, Verdict::Missing);
    let transition = life.observe(&not_listed(5, minute(110)));
    assert_eq!(transition.verdict, Verdict::Deleted);
    assert_eq!(kinds(&transition), [EventType::Deleted]);
    assert_eq!((transition.due, transition.list_at, transition.gap), (None, None, None));
    let data = &transition.events[0].data;
    assert_eq!((data.version, data.connection.deleted_at), (2, Some(minute(110))));
    assert_eq!(data.changed, ["deleted_at"]);
    assert_eq!(transition.events[0].time, minute(110));
    assert_eq!((life.known().version, life.known().deleted_at), (2, Some(minute(110))));
}

#[test]
fn one_sign_alone_is_never_a_deletion() {
    for absent in [not_found, not_listed] {
        let mut life = Life::starting_with(&ready());
        for round in 1..50 {
            assert_eq!(life.observe(&absent(round + 1, minute(20 * round as i64))).verdict, Verdict::Missing);
        }
    }
}

#[test]
fn rounds_closer_than_ten_minutes_are_not_a_deletion() {
    let mut life = Life::starting_with(&ready());
    life.observe(&not_listed(2, minute(100)));
    life.observe(&not_found(3, minute(105)));
    assert_eq!(life.observe(&not_listed(4, minute(115))).verdict, Verdict::Missing);
    let just_before = life.observe(&not_found(5, second(115 * 60 - 1)));
    assert_eq!(just_before.verdict, Verdict::Missing, "the rounds are counted from the end of the first");
    assert_eq!(life.observe(&not_found(6, minute(115))).verdict, Verdict::Deleted);
}

#[test]
fn a_200_between_the_rounds_starts_over() {
    let mut life = Life::starting_with(&ready());
    life.observe(&not_listed(2, minute(99)));
    life.observe(&not_found(3, minute(100)));
    life.observe(&found(4, minute(105), &ready()));
    assert!(!life.known().absence.suspected());
    assert_eq!(life.observe(&not_found(5, minute(111))).verdict, Verdict::Missing);
    assert_eq!(life.observe(&not_listed(6, minute(112))).verdict, Verdict::Missing);
}

#[test]
fn a_404_older_than_the_newest_200_is_ignored() {
    let mut life = Life::new();
    life.observe(&found(5, minute(0), &ready()));
    assert_eq!(life.observe(&not_found(4, minute(1))).verdict, Verdict::Stale);
    assert_eq!(life.observe(&not_found(5, minute(1))).verdict, Verdict::Stale);
    assert!(!life.known().absence.suspected());
}

#[test]
fn the_same_absent_read_twice_is_one_sign() {
    let mut life = Life::starting_with(&ready());
    life.observe(&not_found(2, minute(1)));
    let before = life.known().clone();
    assert_eq!(life.observe(&not_found(2, minute(1))).verdict, Verdict::Stale);
    assert_eq!(*life.known(), before);
}

#[test]
fn a_200_asked_before_a_404_that_counted_does_not_hide_it() {
    let mut life = Life::starting_with(&ready());
    life.observe(&not_found(3, minute(1)));
    let late = but(&ready(), json!({"updatedAt": minute(1)}));
    assert_eq!(life.observe(&found(2, minute(2), &late)).verdict, Verdict::Changed);
    let known = life.known();
    assert_eq!((known.read_no, known.absence.first(Sign::NotFound)), (2, Some(minute(1))));
    let mut life = deleted();
    let transition = life.observe(&found(1, minute(112), &late));
    assert_eq!((transition.verdict, life.known().deleted_at), (Verdict::Stale, Some(minute(111))));
}

#[test]
fn a_late_200_leaves_the_newest_signs_of_a_long_absence() {
    let mut life = Life::starting_with(&ready());
    for number in 2..=41 {
        let sign = if number % 2 == 0 { not_found } else { not_listed };
        life.observe(&sign(number + u64::from(number > 31), second(number as i64)));
    }
    life.observe(&found(32, minute(2), &ready()));
    let left: Vec<u64> = life.known().absence.reads().iter().map(|read| read.read_no).collect();
    assert_eq!(left, (33..=42).collect::<Vec<_>>());
}

#[test]
fn a_sign_answered_late_stays_the_latest_though_many_with_higher_numbers_follow() {
    let mut life = Life::starting_with(&ready());
    life.observe(&not_found(2, minute(100)));
    for number in 3..=30 {
        life.observe(&not_found(number, minute(number as i64)));
    }
    assert_eq!(life.known().absence.latest(Sign::NotFound), Some(minute(100)));
    assert_eq!(life.known().absence.first(Sign::NotFound), Some(minute(3)));
}

#[test]
fn a_200_asked_between_the_signs_that_proved_a_deletion_takes_it_back() {
    let mut life = Life::starting_with(&ready());
    life.observe(&not_listed(2, minute(99)));
    life.observe(&not_found(3, minute(100)));
    life.observe(&not_found(5, minute(110)));
    assert_eq!(life.observe(&not_listed(6, minute(111))).verdict, Verdict::Deleted);
    let transition = life.observe(&found(4, minute(112), &ready()));
    assert_eq!(transition.verdict, Verdict::Revived);
    assert_eq!(life.known().absence.reads().len(), 2, "the signs after it still stand");
    assert_eq!(next(&transition).1, Cause::Missing);
}

#[test]
fn too_many_missing_at_once_wait_for_an_operator() {
    let mut life = Life::starting_with(&ready());
    life.circumstances.deletions_allowed = false;
    life.observe(&not_listed(2, minute(99)));
    life.observe(&not_found(3, minute(100)));
    life.observe(&not_found(4, minute(110)));
    let held = life.observe(&not_listed(5, minute(111)));
    assert_eq!(held.verdict, Verdict::DeletionHeld);
    assert_eq!((kinds(&held), life.known().deleted_at, life.known().version), (vec![], None, 1));
    assert_eq!((next(&held), held.list_at), ((minute(121), Cause::Missing), Some(minute(116))));
    let still_held = life.observe(&not_listed(6, minute(116)));
    assert_eq!((still_held.verdict, next(&still_held).0), (Verdict::DeletionHeld, minute(126)));
    life.circumstances.deletions_allowed = true;
    assert_eq!(life.observe(&not_listed(7, minute(121))).verdict, Verdict::Deleted);
}

#[test]
fn a_later_200_revives() {
    let mut life = deleted();
    let synced = but(&ready(), json!({"updatedAt": minute(200), "lastSync": minute(200)}));
    let transition = life.observe(&found(6, minute(201), &synced));
    assert_eq!(transition.verdict, Verdict::Revived);
    assert_eq!(kinds(&transition), [EventType::Revived, EventType::Synced]);
    assert_eq!(transition.events[0].data.changed, ["last_sync", "updated_at", "deleted_at"]);
    let known = life.known();
    assert_eq!((known.deleted_at, known.version, known.absence.suspected()), (None, 3, false));
    assert_eq!(next(&transition).1, Cause::Schedule);
}

#[test]
fn a_200_with_the_values_of_before_is_a_revival_and_nothing_else() {
    let transition = deleted().observe(&found(6, minute(201), &ready()));
    assert_eq!(kinds(&transition), [EventType::Revived]);
    assert_eq!(transition.events[0].data.changed, ["deleted_at"]);
}

#[test]
fn a_200_that_goes_back_revives_only_when_it_is_repeated() {
    let mut life = deleted();
    let older = but(&ready(), json!({"updatedAt": minute(-9)}));
    assert_eq!(life.observe(&found(6, minute(201), &older)).verdict, Verdict::Suspect);
    assert_eq!(life.known().deleted_at, Some(minute(111)));
    assert_eq!(life.observe(&found(7, minute(202), &older)).verdict, Verdict::Revived);
}

#[test]
fn a_deleted_connection_may_be_hinted_at_and_stays_deleted_quietly() {
    let mut life = deleted();
    let transition = life.observe_because(Cause::Hint, &not_found(6, minute(200)));
    assert_eq!(transition.verdict, Verdict::Unchanged);
    assert_eq!((kinds(&transition), transition.due, transition.list_at), (vec![], None, None));
    assert_eq!((life.known().version, life.known().deleted_at), (2, Some(minute(111))));
}

#[test]
fn a_revived_connection_can_be_deleted_again_under_another_id() {
    let mut life = deleted();
    life.observe(&found(6, minute(200), &ready()));
    life.observe(&not_listed(7, minute(300)));
    life.observe(&not_found(8, minute(300)));
    life.observe(&not_listed(9, minute(310)));
    let again = life.observe(&not_found(10, minute(310)));
    assert_eq!(kinds(&again), [EventType::Deleted]);
    let first = deleted_event_id();
    assert_ne!(again.events[0].id, first);
}

fn deleted_event_id() -> String {
    let mut life = Life::starting_with(&ready());
    life.observe(&not_listed(2, minute(99)));
    life.observe(&not_found(3, minute(100)));
    life.observe(&not_found(4, minute(110)));
    life.observe(&not_listed(5, minute(111))).events[0].id.clone()
}

#[test]
fn a_connection_missing_in_a_list_is_asked_for_alone_at_once() {
    let mut life = Life::starting_with(&ready());
    let transition = life.observe_because(Cause::Sweep, &not_listed(2, minute(99)));
    let (at, cause) = next(&transition);
    assert_eq!(cause, Cause::Missing);
    assert!(at > minute(99) && at <= second(99 * 60 + 1));
    assert_eq!(transition.list_at, None, "a second list would prove nothing yet");
}

#[test]
fn with_too_many_missing_another_list_comes_before_each_is_asked_for_alone() {
    let mut life = Life::starting_with(&ready());
    life.circumstances.deletions_allowed = false;
    let first = life.observe(&not_listed(2, minute(99)));
    assert_eq!((next(&first), first.list_at), ((minute(109), Cause::Missing), Some(minute(104))));
    let second = life.observe(&not_listed(3, minute(104)));
    assert_eq!(
        (next(&second).0, second.list_at),
        (minute(109), Some(minute(109))),
        "a list does not defer the question"
    );
    let asked = life.observe(&not_found(4, minute(109)));
    assert_eq!(next(&asked).0, minute(119), "and then each is asked for once a round");
}

#[test]
fn a_404_asks_for_a_list_and_meanwhile_for_the_connection_every_ten_minutes() {
    let mut life = Life::starting_with(&ready());
    let transition = life.observe(&not_found(2, minute(100)));
    assert_eq!(transition.list_at, Some(minute(100)));
    assert_eq!(next(&transition), (minute(110), Cause::Missing));
    let again = life.observe(&not_found(3, minute(110)));
    assert_eq!((again.list_at, next(&again).0), (Some(minute(110)), minute(120)));
}

#[test]
fn the_second_round_of_both_questions_is_ten_minutes_after_the_first() {
    let mut life = Life::starting_with(&ready());
    life.observe(&not_listed(2, minute(99)));
    let first = life.observe(&not_found(3, minute(100)));
    assert_eq!((next(&first), first.list_at), ((minute(110), Cause::Missing), Some(minute(110))));
    let early = life.observe(&not_listed(4, minute(105)));
    assert_eq!((next(&early).0, early.list_at), (minute(110), Some(minute(110))));
    let half = life.observe(&not_found(5, minute(110)));
    assert_eq!((next(&half).0, half.list_at), (minute(120), Some(minute(110))));
}
