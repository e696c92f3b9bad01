//! R4, and the second looks of R2: when a connection is looked at again.

use connections::{Cause, Schedule, Verdict};
use events::{ConnectionStatus, UtcMicros};
use serde_json::{Value, json};

use crate::life::{Life, but, found, hour, minute, next, pending, ready, second};

fn due(answer: &Value, unchanged_reads: u32, last_read: UtcMicros) -> UtcMicros {
    let status = ConnectionStatus::from_value(answer.clone()).unwrap();
    Schedule::default().next_due(&status, unchanged_reads, last_read)
}

#[test]
fn a_running_import_or_update_is_looked_at_after_five_minutes() {
    assert_eq!(due(&pending(), 0, minute(3)), minute(8));
    assert_eq!(due(&but(&ready(), json!({"status": "UPDATING"})), 0, minute(3)), minute(8));
}

#[test]
fn an_automatic_update_is_expected_26_hours_after_the_last_one() {
    assert_eq!(due(&ready(), 0, hour(3)), hour(26));
    assert_eq!(due(&but(&ready(), json!({"lastSync": null})), 0, hour(3)), hour(29));
}

#[test]
fn an_overdue_automatic_update_is_looked_for_every_five_minutes_and_then_ever_more_rarely() {
    assert_eq!(due(&ready(), 0, hour(30)), minute(30 * 60 + 5));
    assert_eq!(due(&ready(), 3, hour(30)), minute(30 * 60 + 40));
    assert_eq!(due(&ready(), 9, hour(30)), hour(54));
    assert_eq!(due(&ready(), u32::MAX, hour(30)), hour(54));
}

#[test]
fn what_a_person_updates_is_looked_at_after_a_week() {
    let by_hand = [
        json!({"twoFactorEnabled": true}),
        json!({"hasCredentials": false}),
        json!({"hasCredentials": null}),
        json!({"restoreToken": "r"}),
    ];
    for fields in by_hand {
        assert_eq!(due(&but(&ready(), fields), 0, hour(3)), hour(3 + 7 * 24));
    }
}

#[test]
fn an_error_is_looked_at_after_an_hour_where_it_is_retryable_and_else_after_a_day() {
    for status in ["ERRORED", "UPDATE_ERROR"] {
        let retryable = but(&ready(), json!({"status": status, "errorDetails": {"retryable": true}}));
        assert_eq!(due(&retryable, 0, hour(3)), hour(4));
        let final_one = but(&ready(), json!({"status": status, "errorDetails": {"retryable": false}}));
        assert_eq!(due(&final_one, 0, hour(3)), hour(27));
        assert_eq!(due(&but(&ready(), json!({"status": status})), 0, hour(3)), hour(27));
    }
}

#[test]
fn an_unknown_status_is_looked_at_after_a_day() {
    assert_eq!(due(&but(&ready(), json!({"status": "DREAMING"})), 0, hour(3)), hour(27));
}

#[test]
fn a_last_sync_in_the_future_is_bounded_by_the_ceiling() {
    assert_eq!(due(&but(&ready(), json!({"lastSync": "2099-01-01T00:00:00Z"})), 0, hour(3)), hour(3 + 7 * 24));
}

#[test]
fn figures_that_contradict_each_other_still_look_later_than_the_last_read() {
    let nothing = std::time::Duration::ZERO;
    let schedule = Schedule { ceiling: nothing, floor: nothing, running: nothing, ..Schedule::default() };
    let status = ConnectionStatus::from_value(pending()).unwrap();
    assert_eq!(schedule.next_due(&status, 0, hour(1)), UtcMicros(hour(1).0 + 1));
}

#[test]
fn scheduled_reads_that_find_nothing_new_stretch_the_schedule_and_a_change_resets_it() {
    let mut life = Life::starting_with(&pending());
    for (read_no, at, expected) in [(2, 5, 15), (3, 15, 35), (4, 35, 75)] {
        assert_eq!(next(&life.observe(&found(read_no, minute(at), &pending()))).0, minute(expected));
    }
    let changed = but(&pending(), json!({"externalId": "x"}));
    assert_eq!(next(&life.observe(&found(5, minute(75), &changed))).0, minute(80));
    assert_eq!(life.known().unchanged_reads, 0);
}

#[test]
fn reads_for_other_reasons_do_not_stretch_the_schedule() {
    let mut life = Life::starting_with(&pending());
    for (read_no, cause) in (2..).zip(Cause::ALL.into_iter().filter(|cause| *cause != Cause::Schedule)) {
        life.observe_because(cause, &found(read_no, minute(1), &pending()));
    }
    assert_eq!(life.known().unchanged_reads, 0);
}

#[test]
fn a_hinted_read_that_changed_nothing_is_repeated_once_after_a_minute() {
    let mut life = Life::starting_with(&ready());
    let hinted = life.observe_because(Cause::Hint, &found(2, hour(3), &ready()));
    assert_eq!(hinted.verdict, Verdict::Unchanged);
    assert_eq!(next(&hinted), (minute(181), Cause::Lag));
    let lagged = life.observe_because(Cause::Lag, &found(3, minute(181), &ready()));
    assert_eq!(next(&lagged), (hour(26), Cause::Schedule));
}

#[test]
fn a_hinted_read_that_changed_something_is_not_repeated() {
    let mut life = Life::starting_with(&ready());
    let synced = but(&ready(), json!({"lastSync": hour(3), "updatedAt": hour(3)}));
    let hinted = life.observe_because(Cause::Hint, &found(2, hour(3), &synced));
    assert_eq!(next(&hinted), (hour(29), Cause::Schedule));
    let discovered = Life::new().observe_because(Cause::Hint, &found(1, minute(0), &ready()));
    assert_eq!(next(&discovered), (hour(26), Cause::Schedule));
}

#[test]
fn a_hinted_read_that_finds_an_import_still_running_is_repeated_once_after_a_minute() {
    let mut life = Life::new();
    let hinted = life.observe_because(Cause::Hint, &found(1, minute(0), &pending()));
    assert_eq!(hinted.verdict, Verdict::Discovered);
    assert_eq!(next(&hinted), (minute(1), Cause::Lag));
    let lagged = life.observe_because(Cause::Lag, &found(2, minute(1), &pending()));
    assert_eq!(next(&lagged), (minute(6), Cause::Schedule));
}

#[test]
fn a_hint_is_not_answered_within_ten_seconds_of_the_last_read() {
    let mut life = Life::starting_with(&ready());
    let due = life.observe(&found(2, minute(10), &ready())).due.unwrap();
    assert_eq!(due.not_before, second(610));
}

#[test]
fn a_read_asked_later_and_answered_sooner_counts_from_the_later_answer() {
    let mut life = Life::new();
    life.observe(&found(1, minute(10), &pending()));
    let transition = life.observe(&found(2, minute(9), &but(&pending(), json!({"externalId": "x"}))));
    assert_eq!(life.known().as_of, minute(9));
    assert_eq!(next(&transition).0, minute(15));
}
