//! Finlink's connection status, read leniently, and the user's view of it.

use events::{Connection, ConnectionStatus, ErrorDetails, Status, UtcMicros};
use serde_json::{Value, json};

fn full() -> Value {
    json!({
        "credentialsToken": "ABCDEFGH12",
        "status": "UPDATE_ERROR",
        "errorDetails": {"reason": "bank is away", "type": "VUMI_ERROR", "retryable": true},
        "entity": "santander",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-03T00:00:00.500Z",
        "lastSync": "2026-01-02T00:00:00.000Z",
        "updateToken": "7f2c1f0e-1111-4222-8333-444455556666",
        "restoreToken": "7f2c1f0e-1111-4222-8333-444455557777",
        "twoFactorEnabled": false,
        "hasCredentials": true,
        "externalId": "customer-7",
    })
}

fn read(value: Value) -> ConnectionStatus {
    ConnectionStatus::from_value(value).unwrap()
}

fn with(name: &str, value: Value) -> Value {
    let mut answer = full();
    answer[name] = value;
    answer
}

fn time(text: &str) -> UtcMicros {
    text.parse().unwrap()
}

#[test]
fn every_known_field_is_read() {
    let status = read(full());
    assert_eq!(status.credentials_token.as_str(), "ABCDEFGH12");
    assert_eq!(status.status, Status::UpdateError);
    let details = ErrorDetails {
        reason: Some("bank is away".to_owned()),
        kind: Some("VUMI_ERROR".to_owned()),
        retryable: Some(true),
    };
    assert_eq!(status.error_details, Some(details));
    assert_eq!(status.entity.as_deref(), Some("santander"));
    assert_eq!(status.created_at, Some(time("2026-01-01T00:00:00Z")));
    assert_eq!(status.updated_at, Some(time("2026-01-03T00:00:00.5Z")));
    assert_eq!(status.last_sync, Some(time("2026-01-02T00:00:00Z")));
    assert_eq!(status.update_token.as_deref(), Some("7f2c1f0e-1111-4222-8333-444455556666"));
    assert_eq!(status.restore_token.as_deref(), Some("7f2c1f0e-1111-4222-8333-444455557777"));
    assert_eq!((status.two_factor_enabled, status.has_credentials), (Some(false), Some(true)));
    assert_eq!(status.external_id.as_deref(), Some("customer-7"));
    assert!(status.other.is_empty());
}

#[test]
fn id_and_status_suffice_and_null_is_absent() {
    let least = read(json!({"credentialsToken": "A1", "status": "READY"}));
    let mut nulls = full();
    for (name, value) in nulls.as_object_mut().unwrap() {
        if name != "credentialsToken" && name != "status" {
            *value = Value::Null;
        }
    }
    let nulls = read(nulls);
    assert_eq!(
        nulls,
        ConnectionStatus { credentials_token: nulls.credentials_token.clone(), status: nulls.status.clone(), ..least }
    );
}

#[test]
fn without_id_or_status_it_is_not_a_status() {
    for value in [
        json!({"status": "READY"}),
        json!({"credentialsToken": "A1"}),
        json!({"credentialsToken": null, "status": "READY"}),
        json!({"credentialsToken": "A/1", "status": "READY"}),
        json!({"credentialsToken": "A1", "status": 7}),
        json!([full()]),
        json!("READY"),
        json!(null),
    ] {
        let error = ConnectionStatus::from_value(value.clone()).unwrap_err();
        assert!(error.to_string().starts_with("not a connection status: "), "{value}: {error}");
    }
}

#[test]
fn a_value_of_an_unexpected_type_reads_as_absent_and_spoils_nothing_else() {
    for name in ["errorDetails", "createdAt", "updatedAt", "lastSync", "twoFactorEnabled", "hasCredentials"] {
        for value in [json!("nonsense"), json!(7), json!([1]), json!(true), json!({"a": 1})] {
            let fits = matches!((name, &value), ("twoFactorEnabled" | "hasCredentials", Value::Bool(_)))
                || matches!((name, &value), ("errorDetails", Value::Object(_)));
            if !fits {
                let status = serde_json::to_value(read(with(name, value.clone()))).unwrap();
                assert_eq!(status.get(name), None, "{name}: {value}");
                assert_eq!(status["entity"], "santander");
            }
        }
    }
    assert_eq!(read(with("entity", json!({"name": "x"}))).entity, None);
}

#[test]
fn a_number_where_a_text_is_expected_is_taken_as_it_is_written() {
    assert_eq!(read(with("externalId", json!(7))).external_id.as_deref(), Some("7"));
    assert_eq!(read(with("externalId", json!(7.5))).external_id.as_deref(), Some("7.5"));
    assert_eq!(read(with("externalId", json!(true))).external_id.as_deref(), Some("true"));
}

#[test]
fn an_error_detail_that_cannot_be_read_leaves_the_others() {
    let status = read(with("errorDetails", json!({"reason": {"code": 1}, "type": "VUMI_ERROR", "retryable": "yes"})));
    let details = ErrorDetails { reason: None, kind: Some("VUMI_ERROR".to_owned()), retryable: None };
    assert_eq!(status.error_details, Some(details));
}

#[test]
fn a_time_without_an_offset_is_utc_and_one_with_an_offset_is_converted() {
    assert_eq!(read(with("lastSync", json!("2026-01-02T00:00:00.000"))).last_sync, Some(time("2026-01-02T00:00:00Z")));
    assert_eq!(
        read(with("lastSync", json!("2026-01-02T02:00:00+02:00"))).last_sync,
        Some(time("2026-01-02T00:00:00Z"))
    );
}

#[test]
fn an_unknown_status_word_is_kept() {
    let status = read(with("status", json!("DREAMING")));
    assert_eq!(status.status, Status::Other("DREAMING".to_owned()));
    assert_eq!((status.status.as_str(), status.status.label()), ("DREAMING", "OTHER"));
    assert!(!status.status.is_error());
    assert_eq!(serde_json::to_value(&status).unwrap()["status"], "DREAMING");
}

#[test]
fn every_known_status_word_is_read_and_written_as_finlink_does() {
    for word in ["PENDING", "READY", "UPDATING", "ERRORED", "UPDATE_ERROR"] {
        let status = Status::from(word.to_owned());
        assert!(!matches!(status, Status::Other(_)), "{word}");
        assert_eq!((status.as_str(), status.label()), (word, word));
        assert_eq!(status.is_error(), word.contains("ERROR"));
    }
    assert_eq!(Status::from("ready".to_owned()), Status::Other("ready".to_owned()), "words are taken literally");
}

#[test]
fn unknown_fields_are_kept_as_they_came() {
    let status = read(with("riskLevel", json!({"now": [1, null]})));
    assert_eq!(Value::Object(status.other.clone()), json!({"riskLevel": {"now": [1, null]}}));
    assert_eq!(read(serde_json::to_value(&status).unwrap()), status);
}

#[test]
fn it_updates_by_itself_with_credentials_and_nothing_in_the_way() {
    let automatic = |fields: Value| {
        let mut answer = json!({"credentialsToken": "A1", "status": "READY", "hasCredentials": true});
        answer.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        read(answer).updates_by_itself()
    };
    assert!(automatic(json!({})));
    assert!(automatic(json!({"twoFactorEnabled": false})));
    assert!(!automatic(json!({"twoFactorEnabled": true})));
    assert!(!automatic(json!({"hasCredentials": false})));
    assert!(!automatic(json!({"hasCredentials": null})));
    assert!(!automatic(json!({"restoreToken": "r"})));
}

#[test]
fn a_connection_shows_every_field_in_snake_case_and_reads_back() {
    let as_of = "2026-01-04T00:00:00Z".parse().unwrap();
    let connection = Connection::from_status("shop".parse().unwrap(), &read(full()), 3, as_of, Some(as_of));
    let written = serde_json::to_value(&connection).unwrap();
    assert_eq!(
        written,
        json!({
            "app": "shop",
            "token": "ABCDEFGH12",
            "status": "UPDATE_ERROR",
            "entity": "santander",
            "update_token": "7f2c1f0e-1111-4222-8333-444455556666",
            "restore_token": "7f2c1f0e-1111-4222-8333-444455557777",
            "two_factor_enabled": false,
            "has_credentials": true,
            "external_id": "customer-7",
            "created_at": "2026-01-01T00:00:00.000000Z",
            "updated_at": "2026-01-03T00:00:00.500000Z",
            "last_sync": "2026-01-02T00:00:00.000000Z",
            "error_details": {"reason": "bank is away", "type": "VUMI_ERROR", "retryable": true},
            "version": 3,
            "as_of": "2026-01-04T00:00:00.000000Z",
            "deleted_at": "2026-01-04T00:00:00.000000Z",
        })
    );
    assert_eq!(serde_json::from_value::<Connection>(written).unwrap(), connection);
}

#[test]
fn a_connection_of_which_little_is_known_shows_null_for_the_rest_and_reads_back() {
    let least = read(json!({"credentialsToken": "A1", "status": "DREAMING"}));
    let connection = Connection::from_status("shop".parse().unwrap(), &least, 1, UtcMicros(0), None);
    let written = serde_json::to_value(&connection).unwrap();
    assert_eq!(written.as_object().unwrap().len(), 16);
    assert_eq!(written["deleted_at"], Value::Null);
    assert_eq!(serde_json::from_value::<Connection>(written).unwrap(), connection);
}
