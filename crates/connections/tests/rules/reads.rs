//! R2: which reads count.

use connections::{Cause, Verdict};
use events::ConnectionStatus;
use serde_json::{Value, json};

use crate::life::{Life, but, found, hour, kinds, minute, next, not_found, ready, second};

fn updated_at(time: events::UtcMicros) -> Value {
    but(&ready(), json!({"updatedAt": time}))
}

#[test]
fn the_newest_read_replaces_everything_that_was_known() {
    let mut life = Life::starting_with(&but(&ready(), json!({"updateToken": "u", "colour": "red"})));
    let newer = but(&ready(), json!({"status": "UPDATING", "updatedAt": minute(9)}));
    let transition = life.observe(&found(2, minute(10), &newer));
    assert_eq!(transition.verdict, Verdict::Changed);
    let known = life.known();
    assert_eq!(known.raw, newer);
    assert_eq!(known.status, ConnectionStatus::from_value(newer).unwrap());
    assert_eq!((known.read_no, known.as_of, known.version), (2, minute(10), 2));
}

#[test]
fn a_read_with_a_lower_or_equal_number_changes_nothing() {
    let mut life = Life::new();
    life.observe(&found(5, minute(0), &ready()));
    let before = life.known().clone();
    for read_no in [4, 5] {
        let transition = life.observe(&found(read_no, minute(9), &updated_at(minute(8))));
        assert_eq!(transition.verdict, Verdict::Stale);
        assert_eq!((kinds(&transition), transition.gap), (vec![], None));
        assert_eq!(*life.known(), before);
        assert!(next(&transition).0 > minute(9), "the next look is not at once");
    }
}

#[test]
fn a_read_that_goes_back_is_repeated_after_a_minute_and_does_not_count_yet() {
    let mut life = Life::starting_with(&ready());
    let before = life.known().clone();
    let transition = life.observe(&found(2, minute(10), &updated_at(minute(-1))));
    assert_eq!(transition.verdict, Verdict::Suspect);
    assert_eq!(next(&transition), (minute(11), Cause::Regression));
    assert_eq!((kinds(&transition), transition.gap), (vec![], None));
    let known = life.known();
    assert_eq!((&known.raw, known.read_no, known.version, known.as_of), (&before.raw, 1, 1, before.as_of));
}

#[test]
fn a_repetition_that_still_goes_back_counts() {
    let mut life = Life::starting_with(&ready());
    life.observe(&found(2, minute(10), &updated_at(minute(-1))));
    let repeated = updated_at(minute(-1));
    let transition = life.observe_because(Cause::Regression, &found(3, minute(11), &repeated));
    assert_eq!(transition.verdict, Verdict::Changed);
    let known = life.known();
    assert_eq!((&known.raw, known.read_no, known.version), (&repeated, 3, 2));
    assert_eq!(known.regression, None);
    assert_eq!(next(&transition).1, Cause::Schedule);
}

#[test]
fn a_repetition_within_the_minute_does_not_count_and_does_not_defer_the_second_look() {
    let mut life = Life::starting_with(&ready());
    life.observe(&found(2, minute(10), &updated_at(minute(-1))));
    let transition = life.observe(&found(3, second(659), &updated_at(minute(-1))));
    assert_eq!(transition.verdict, Verdict::Suspect);
    assert_eq!(next(&transition), (minute(11), Cause::Regression));
    assert_eq!(life.known().read_no, 1);
    assert_eq!(life.observe(&found(4, minute(11), &updated_at(minute(-1)))).verdict, Verdict::Changed);
}

#[test]
fn the_same_suspect_read_again_is_not_its_own_repetition() {
    let mut life = Life::starting_with(&ready());
    let suspect = found(2, minute(10), &updated_at(minute(-1)));
    life.observe(&suspect);
    let again = life.observe(&suspect);
    assert_eq!(again.verdict, Verdict::Stale);
    assert_eq!(next(&again), (minute(11), Cause::Regression), "the second look is still due");
    let late_copy = found(2, minute(30), &updated_at(minute(-1)));
    assert_eq!(life.observe(&late_copy).verdict, Verdict::Stale);
    assert_eq!(life.known().read_no, 1);
}

#[test]
fn a_read_that_does_not_go_back_clears_the_suspicion() {
    let mut life = Life::starting_with(&ready());
    life.observe(&found(2, minute(10), &updated_at(minute(-1))));
    assert_eq!(life.observe(&found(3, minute(11), &ready())).verdict, Verdict::Unchanged);
    assert_eq!(life.known().regression, None);
    let transition = life.observe(&found(4, minute(20), &updated_at(minute(-1))));
    assert_eq!(transition.verdict, Verdict::Suspect, "what was cleared does not confirm");
}

#[test]
fn what_was_cleared_does_not_confirm_a_newer_suspect_that_was_observed_before_the_clearing() {
    let mut life = Life::starting_with(&ready());
    let older = updated_at(minute(-1));
    life.observe(&found(2, minute(10), &older));
    life.observe(&found(4, second(630), &older));
    assert_eq!(life.observe(&found(3, second(620), &ready())).verdict, Verdict::Unchanged);
    assert_eq!(
        life.observe(&found(5, second(680), &older)).verdict,
        Verdict::Suspect,
        "50 s after the first that is left"
    );
    assert_eq!(life.observe(&found(6, second(690), &older)).verdict, Verdict::Changed);
}

#[test]
fn an_equal_updated_at_does_not_go_back() {
    let mut life = Life::starting_with(&ready());
    let transition = life.observe(&found(2, minute(10), &but(&ready(), json!({"status": "UPDATING"}))));
    assert_eq!(transition.verdict, Verdict::Changed);
}

#[test]
fn without_an_updated_at_on_both_sides_nothing_goes_back() {
    let mut life = Life::starting_with(&ready());
    let without = but(&ready(), json!({"updatedAt": null}));
    assert_eq!(life.observe(&found(2, minute(10), &without)).verdict, Verdict::Changed);
    assert_eq!(life.observe(&found(3, minute(20), &updated_at(minute(-9)))).verdict, Verdict::Changed);
    let unreadable = but(&ready(), json!({"updatedAt": "yesterday"}));
    assert_eq!(life.observe(&found(4, minute(30), &unreadable)).verdict, Verdict::Changed);
}

#[test]
fn a_sender_clock_that_was_in_the_future_is_believed_again_after_the_repetition() {
    let mut life = Life::starting_with(&ready());
    let future = but(&ready(), json!({"updatedAt": "2099-01-01T00:00:00Z", "lastSync": "2099-01-01T00:00:00Z"}));
    let transition = life.observe(&found(2, hour(1), &future));
    assert_eq!(transition.verdict, Verdict::Changed);
    assert!(next(&transition).0 <= hour(1 + 7 * 24), "looked at again long before 2099");
    let right = but(&ready(), json!({"updatedAt": hour(2), "lastSync": hour(2)}));
    assert_eq!(life.observe(&found(3, hour(2), &right)).verdict, Verdict::Suspect);
    assert_eq!(life.observe(&found(4, hour(3), &right)).verdict, Verdict::Changed);
    assert_eq!(life.known().raw, right);
    let later = but(&ready(), json!({"updatedAt": hour(26), "lastSync": hour(26)}));
    assert_eq!(life.observe(&found(5, hour(26), &later)).verdict, Verdict::Changed);
}

#[test]
fn a_repetition_counts_also_when_it_is_observed_before_what_it_repeats() {
    let mut life = Life::starting_with(&ready());
    let repeated = updated_at(minute(-1));
    assert_eq!(life.observe(&found(3, minute(12), &repeated)).verdict, Verdict::Suspect);
    assert_eq!(life.observe(&found(2, minute(10), &updated_at(minute(-2)))).verdict, Verdict::Changed);
    assert_eq!((life.known().read_no, &life.known().raw), (3, &repeated));
}

#[test]
fn unknown_fields_and_unreadable_values_count_as_changes() {
    let mut life = Life::starting_with(&but(&ready(), json!({"riskLevel": 1, "errorDetails": {"hint": 1}})));
    let steps = [
        (json!({"riskLevel": 2}), "risk_level"),
        (json!({"riskLevel": {"now": 3}}), "risk_level"),
        (json!({"riskLevel": null}), "risk_level"),
        (json!({"hasCredentials": "maybe"}), "has_credentials"),
        (json!({"hasCredentials": "perhaps"}), "has_credentials"),
        (json!({"errorDetails": {"hint": 2}}), "error_details"),
        (json!({"status": "DREAMING"}), "status"),
    ];
    for (number, (fields, name)) in (2..).zip(steps) {
        let answer = but(&life.known().raw, fields);
        let transition = life.observe(&found(number, minute(number as i64), &answer));
        assert_eq!(transition.verdict, Verdict::Changed, "{answer}");
        assert_eq!(transition.events[0].data.changed, [name]);
    }
}

#[test]
fn the_same_value_written_in_another_way_is_no_change_but_the_newest_answer_is_kept() {
    let mut life = Life::starting_with(&but(&ready(), json!({"updatedAt": "2026-01-01T00:00:00Z", "externalId": "7"})));
    let mut same = but(&ready(), json!({"updatedAt": "2026-01-01T01:00:00.000+01:00", "externalId": 7}));
    same["updateToken"] = Value::Null;
    assert_eq!(life.observe(&found(2, minute(1), &same)).verdict, Verdict::Unchanged);
    assert_eq!((life.known().version, &life.known().raw), (1, &same));
}

#[test]
fn a_404_of_a_token_never_seen_leaves_nothing_behind() {
    let mut life = Life::new();
    let transition = life.observe_because(Cause::Hint, &not_found(1, minute(0)));
    assert_eq!(transition.verdict, Verdict::Unknown);
    assert_eq!((transition.after, transition.due, transition.gap), (None, None, None));
    assert_eq!(transition.events, []);
}
