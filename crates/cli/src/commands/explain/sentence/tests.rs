//! Sentences that a person reads in each situation.

use std::time::Duration;

use connections::{Absence, Known};
use events::ConnectionStatus;
use serde_json::json;

use super::*;

const NOW: UtcMicros = UtcMicros(1_000_000_000_000);

fn token() -> ConnectionToken {
    "ABCDEFGHIJ".parse().unwrap()
}

fn known(fields: &serde_json::Value) -> Known {
    let mut raw = json!({ "credentialsToken": "ABCDEFGHIJ", "status": "READY" });
    raw.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    Known {
        app: "demo".parse().unwrap(),
        status: ConnectionStatus::from_value(raw.clone()).unwrap(),
        raw,
        version: 3,
        read_no: 12,
        as_of: NOW.minus(Duration::from_secs(90)),
        deleted_at: None,
        unchanged_reads: 0,
        absence: Absence::default(),
        regression: None,
        announced: connections::Announced::default(),
    }
}

fn refresh() -> RefreshRow {
    RefreshRow {
        app: "demo".parse().unwrap(),
        token: Some(token()),
        hint_no: 4,
        answered_no: 4,
        hinted_at: None,
        scheduled_at: Some(NOW.plus(Duration::from_hours(2))),
        not_before: NOW,
        claimed_until: None,
        failures: 0,
        last_error: None,
        last_request_id: None,
        reason: "schedule".to_owned(),
    }
}

fn told(known: Option<Known>, refresh: Option<RefreshRow>) -> String {
    let (deliveries, events, gaps) = (Vec::new(), Vec::new(), Vec::new());
    sentence(&token(), &Explanation { known, refresh, deliveries, events, gaps, deletions_held: false }, NOW)
}

#[test]
fn a_quiet_connection_waits_for_its_schedule() {
    assert_eq!(
        told(Some(known(&json!({}))), Some(refresh())),
        "ABCDEFGHIJ is READY because Finlink said so 1m 30s ago (version 3); it will be looked at again in 2h, at \
         1970-01-12T15:46:40.000000Z: without a webhook until then, something should have been heard of it."
    );
}

#[test]
fn a_hint_makes_it_due_at_once() {
    let hinted = RefreshRow { hint_no: 6, ..refresh() };
    let told = told(Some(known(&json!({}))), Some(hinted));
    assert!(told.ends_with("it is due to be looked at now: 2 hints wait for an answer."), "{told}");
}

#[test]
fn errors_give_finlinks_reason_and_failures_their_request() {
    let error = json!({ "status": "UPDATE_ERROR", "errorDetails": { "type": "VUMI_ERROR", "reason": "down" } });
    let failing = RefreshRow {
        failures: 3,
        last_error: Some("500".to_owned()),
        last_request_id: Some("abc".to_owned()),
        ..refresh()
    };
    let told = told(Some(known(&error)), Some(failing));
    assert!(
        told.contains(
            "is UPDATE_ERROR because Finlink said so 1m 30s ago (version 3), giving VUMI_ERROR \"down\" as the reason"
        ),
        "{told}"
    );
    assert!(told.ends_with(" The last 3 attempts to read it failed: 500, X-Request-ID abc."), "{told}");
}

#[test]
fn a_deleted_one_is_looked_at_only_when_named() {
    let deleted = Known { deleted_at: Some(NOW.minus(Duration::from_mins(1))), ..known(&json!({})) };
    let told = told(Some(deleted), Some(RefreshRow { scheduled_at: None, ..refresh() }));
    assert!(told.contains("counts as deleted since"), "{told}");
    assert!(told.ends_with("it will be looked at again when a webhook names it."), "{told}");
}

#[test]
fn what_nobody_named_is_said_to_be_unknown() {
    assert!(told(None, None).starts_with("Nothing is known of ABCDEFGHIJ"));
    assert!(told(None, Some(RefreshRow { hint_no: 5, ..refresh() })).contains("no read has found it yet"));
}
