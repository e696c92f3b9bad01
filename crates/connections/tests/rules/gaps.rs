//! Changes that a webhook should have told of: when a gap is noted, and which.

use connections::{Cause, Gap, Transition, Verdict};
use serde_json::{Value, json};

use crate::life::{Life, but, found, minute, not_found, not_listed, pending, ready};

fn gap(before: &Value, fields: Value) -> Option<Gap> {
    Life::starting_with(before).observe(&found(2, minute(60), &but(before, fields))).gap
}

#[test]
fn each_kind_of_change_that_a_webhook_tells_of_has_its_gap() {
    let imported = json!({"status": "READY", "updatedAt": minute(3), "lastSync": minute(3)});
    assert_eq!(gap(&pending(), imported), Some(Gap::Import));
    assert_eq!(gap(&ready(), json!({"lastSync": minute(50)})), Some(Gap::Update));
    assert_eq!(gap(&ready(), json!({"updatedAt": minute(50), "status": "UPDATE_ERROR"})), Some(Gap::Update));
    assert_eq!(gap(&ready(), json!({"updateToken": "u"})), Some(Gap::Token));
    assert_eq!(gap(&ready(), json!({"restoreToken": "r"})), Some(Gap::Token));
}

#[test]
fn a_change_of_several_kinds_is_one_gap_import_before_update_before_token() {
    let all = json!({"status": "READY", "updatedAt": minute(3), "lastSync": minute(3), "updateToken": "u"});
    assert_eq!(gap(&pending(), all.clone()), Some(Gap::Import));
    assert_eq!(gap(&ready(), all), Some(Gap::Update));
}

#[test]
fn changes_that_no_webhook_tells_of_are_no_gap() {
    let with_token = but(&ready(), json!({"updateToken": "u"}));
    assert_eq!(gap(&with_token, json!({"updateToken": null})), None);
    assert_eq!(gap(&ready(), json!({"externalId": "x"})), None);
    assert_eq!(gap(&ready(), json!({"lastSync": minute(-60)})), None);
    assert_eq!(gap(&ready(), json!({})), None);
}

#[test]
fn a_change_that_a_webhook_told_of_is_no_gap() {
    let synced = but(&ready(), json!({"lastSync": minute(50)}));
    for cause in Cause::ALL {
        let mut life = Life::starting_with(&ready());
        life.circumstances.hinted = true;
        life.circumstances.cause = cause;
        assert_eq!(life.observe(&found(2, minute(60), &synced)).gap, None);
    }
}

#[test]
fn a_first_sight_is_a_gap_only_when_it_is_announced_imported_and_nobody_hinted() {
    let first = |announce, hinted, answer: &Value| {
        let mut life = Life::new();
        life.circumstances.announce = announce;
        life.circumstances.hinted = hinted;
        life.observe(&found(1, minute(0), answer)).gap
    };
    assert_eq!(first(true, false, &ready()), Some(Gap::Import));
    assert_eq!(first(true, false, &pending()), None);
    assert_eq!(first(true, true, &ready()), None);
    assert_eq!(first(false, false, &ready()), None);
}

#[test]
fn a_hint_whose_second_look_too_changed_nothing_is_one_late_hint() {
    let mut life = Life::starting_with(&ready());
    let looks = [(2, Cause::Hint), (3, Cause::Lag), (4, Cause::Schedule), (5, Cause::Sweep)];
    let gaps = looks.map(|(read_no, cause)| life.observe_because(cause, &found(read_no, minute(60), &ready())).gap);
    assert_eq!(gaps, [None, Some(Gap::LateHint), None, None]);
}

#[test]
fn a_hint_whose_second_look_shows_its_change_is_not_late() {
    let mut life = Life::starting_with(&ready());
    assert_eq!(life.observe_because(Cause::Hint, &found(2, minute(60), &ready())).gap, None);
    life.circumstances.hinted = true;
    let synced = but(&ready(), json!({"lastSync": minute(60)}));
    assert_eq!(life.observe_because(Cause::Lag, &found(3, minute(61), &synced)).gap, None);
}

#[test]
fn a_hint_that_found_an_update_begun_is_not_late_where_it_still_runs() {
    let mut life = Life::starting_with(&ready());
    life.circumstances.hinted = true;
    let running = but(&ready(), json!({"status": "UPDATING"}));
    assert_eq!(life.observe_because(Cause::Hint, &found(2, minute(60), &running)).verdict, Verdict::Changed);
    let second = life.observe_because(Cause::Lag, &found(3, minute(61), &running));
    assert_eq!((second.verdict, second.gap), (Verdict::Unchanged, None));
}

#[test]
fn a_confirmed_regression_is_no_gap_but_the_update_after_it_is() {
    let mut life = Life::starting_with(&ready());
    let back = but(&ready(), json!({"updatedAt": minute(-9), "lastSync": minute(-9)}));
    life.observe(&found(2, minute(10), &back));
    assert_eq!(life.observe(&found(3, minute(11), &back)).gap, None);
    let on = but(&ready(), json!({"updatedAt": minute(-3), "lastSync": minute(-3)}));
    assert_eq!(life.observe(&found(4, minute(20), &on)).gap, Some(Gap::Update));
}

#[test]
fn a_missing_or_deleted_connection_is_no_gap() {
    let mut life = Life::starting_with(&ready());
    let gaps = [
        life.observe(&not_found(2, minute(1))),
        life.observe(&not_listed(3, minute(1))),
        life.observe(&not_found(4, minute(11))),
        life.observe(&not_listed(5, minute(11))),
    ]
    .map(|transition: Transition| transition.gap);
    assert_eq!(gaps, [None; 4]);
}
