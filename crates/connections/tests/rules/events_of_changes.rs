//! R6: which events a change makes, and what they carry.

use connections::{Transition, Verdict};
use events::EventType::{self, *};
use serde_json::{Value, json};

use crate::life::{Life, but, found, kinds, minute, pending, ready};

/// The transition from `before` to `before` with `fields` different.
fn change(before: &Value, fields: Value) -> Transition {
    Life::starting_with(before).observe(&found(2, minute(60), &but(before, fields)))
}

fn changed_to(fields: Value) -> Vec<EventType> {
    kinds(&change(&ready(), fields))
}

fn error() -> Value {
    but(&ready(), json!({"status": "UPDATE_ERROR", "updatedAt": minute(30)}))
}

#[test]
fn the_first_sight_is_discovered_and_of_an_imported_one_imported_too() {
    let transition = Life::new().observe(&found(1, minute(0), &ready()));
    assert_eq!((transition.verdict, kinds(&transition)), (Verdict::Discovered, vec![Discovered, Imported]));
    let present = ["created_at", "credentials_token", "entity", "has_credentials", "last_sync", "status"];
    assert_eq!(transition.events[0].data.changed[..6], present);
    for (answer, expected) in [
        (pending(), vec![Discovered]),
        (but(&ready(), json!({"status": "ERRORED"})), vec![Discovered]),
        (error(), vec![Discovered, Imported]),
    ] {
        assert_eq!(kinds(&Life::new().observe(&found(1, minute(0), &answer))), expected, "{answer}");
    }
}

#[test]
fn what_the_first_sweep_finds_is_known_silently() {
    let mut life = Life::new();
    life.circumstances.announce = false;
    let transition = life.observe(&found(1, minute(0), &ready()));
    assert_eq!((transition.verdict, kinds(&transition), transition.gap), (Verdict::Discovered, vec![], None));
    assert_eq!(life.known().version, 1);
    let later = life.observe(&found(2, minute(9), &but(&ready(), json!({"lastSync": minute(8)}))));
    assert_eq!(kinds(&later), [Synced], "changes are announced whether or not first sights are");
}

#[test]
fn the_end_of_the_first_import_is_imported_and_not_synced() {
    let done = json!({"status": "READY", "updatedAt": minute(3), "lastSync": minute(3)});
    assert_eq!(kinds(&change(&pending(), done)), [Imported]);
    let with_sync = but(&pending(), json!({"lastSync": minute(1)}));
    let done = json!({"status": "READY", "lastSync": minute(3)});
    assert_eq!(kinds(&change(&with_sync, done)), [Imported], "also where lastSync was there before");
    let without = but(&ready(), json!({"lastSync": null}));
    assert_eq!(kinds(&change(&without, json!({"lastSync": minute(3)}))), [Imported], "also of READY to READY");
}

#[test]
fn an_import_that_failed_or_still_runs_is_not_imported() {
    assert_eq!(kinds(&change(&pending(), json!({"status": "ERRORED", "lastSync": minute(3)}))), [Failed]);
    assert_eq!(kinds(&change(&pending(), json!({"lastSync": minute(3)}))), [Changed]);
    assert_eq!(kinds(&change(&pending(), json!({"status": "READY"}))), [Changed], "without lastSync there is no data");
}

#[test]
fn an_import_whose_first_update_failed_before_it_was_read_is_both() {
    let both = json!({"status": "UPDATE_ERROR", "updatedAt": minute(30), "lastSync": minute(3)});
    assert_eq!(kinds(&change(&pending(), both)), [Imported, UpdateFailed]);
}

#[test]
fn an_advanced_last_sync_is_synced() {
    let transition = change(&ready(), json!({"lastSync": minute(50), "updatedAt": minute(50)}));
    assert_eq!(kinds(&transition), [Synced]);
    assert_eq!(transition.events[0].data.changed, ["last_sync", "updated_at"]);
}

#[test]
fn a_last_sync_that_goes_back_or_away_is_changed() {
    assert_eq!(changed_to(json!({"lastSync": minute(-60)})), [Changed]);
    assert_eq!(changed_to(json!({"lastSync": null})), [Changed]);
}

#[test]
fn entering_an_error_state_is_announced_and_so_is_each_further_failure() {
    assert_eq!(changed_to(json!({"status": "UPDATE_ERROR", "updatedAt": minute(50)})), [UpdateFailed]);
    assert_eq!(changed_to(json!({"status": "ERRORED", "updatedAt": minute(50)})), [Failed]);
    assert_eq!(kinds(&change(&error(), json!({"updatedAt": minute(50)}))), [UpdateFailed]);
    assert_eq!(kinds(&change(&error(), json!({"status": "ERRORED"}))), [Failed]);
    assert_eq!(changed_to(json!({"status": "UPDATE_ERROR", "updatedAt": null})), [UpdateFailed]);
}

#[test]
fn another_change_within_an_error_state_is_not_a_failure() {
    assert_eq!(kinds(&change(&error(), json!({"errorDetails": {"reason": "x"}}))), [Changed]);
}

#[test]
fn leaving_an_error_state_for_ready_is_recovered() {
    let synced = json!({"status": "READY", "updatedAt": minute(50), "lastSync": minute(50)});
    assert_eq!(kinds(&change(&error(), synced.clone())), [Synced, Recovered]);
    let errored = but(&error(), json!({"status": "ERRORED"}));
    assert_eq!(kinds(&change(&errored, synced.clone())), [Synced, Recovered]);
    assert_eq!(kinds(&change(&error(), json!({"status": "READY"}))), [Recovered]);
    assert_eq!(kinds(&change(&error(), json!({"status": "UPDATING"}))), [Changed]);
    let never_imported = but(&errored, json!({"lastSync": null}));
    assert_eq!(kinds(&change(&never_imported, synced)), [Imported, Recovered]);
}

#[test]
fn a_new_token_is_announced_and_a_consumed_one_is_changed() {
    let with_tokens = but(&ready(), json!({"updateToken": "u1", "restoreToken": "r1"}));
    assert_eq!(changed_to(json!({"updateToken": "u1"})), [UpdateTokenIssued]);
    assert_eq!(changed_to(json!({"restoreToken": "r1"})), [ActionRequired]);
    assert_eq!(kinds(&change(&with_tokens, json!({"updateToken": "u2"}))), [UpdateTokenIssued]);
    assert_eq!(kinds(&change(&with_tokens, json!({"restoreToken": "r2"}))), [ActionRequired]);
    assert_eq!(kinds(&change(&with_tokens, json!({"updateToken": null}))), [Changed]);
    assert_eq!(kinds(&change(&with_tokens, json!({"restoreToken": null}))), [Changed]);
    assert_eq!(changed_to(json!({"updateToken": ""})), [Changed], "an empty token is none");
}

#[test]
fn anything_else_is_changed() {
    assert_eq!(changed_to(json!({"status": "UPDATING"})), [Changed]);
    assert_eq!(changed_to(json!({"entity": "bbva"})), [Changed]);
    assert_eq!(changed_to(json!({"newField": 1})), [Changed]);
}

#[test]
fn an_unchanged_read_makes_no_event() {
    let transition = change(&ready(), json!({}));
    assert_eq!((transition.verdict, kinds(&transition)), (Verdict::Unchanged, vec![]));
    assert_eq!(transition.after.unwrap().version, 1);
}

#[test]
fn all_events_of_a_change_carry_one_version_and_the_whole_connection_after_it() {
    let before = but(&error(), json!({"colour": "red"}));
    let fields = json!({
        "status": "READY", "updatedAt": minute(50), "lastSync": minute(50), "updateToken": "u", "restoreToken": "r",
        "colour": "blue",
    });
    let transition = change(&before, fields);
    assert_eq!(kinds(&transition), [Synced, Recovered, UpdateTokenIssued, ActionRequired]);
    let after = transition.after.unwrap();
    for event in &transition.events {
        assert_eq!(event.data.version, 2);
        assert_eq!(event.data.connection, after.view());
        assert_eq!(event.time, minute(60));
        let changed = ["colour", "last_sync", "restore_token", "status", "update_token", "updated_at"];
        assert_eq!(event.data.changed, changed);
    }
    assert_eq!(after.view().last_sync, Some(minute(50)));
}
