//! The feed's events: CloudEvents 1.0, and ids that are made of what changed.

use events::{Connection, ConnectionEvent, ConnectionStatus, EventType, UtcMicros};
use serde_json::{Value, json};

const KINDS: [(EventType, &str); 11] = [
    (EventType::Discovered, "finlinkd.connection.discovered.v1"),
    (EventType::Imported, "finlinkd.connection.imported.v1"),
    (EventType::Synced, "finlinkd.connection.synced.v1"),
    (EventType::UpdateFailed, "finlinkd.connection.update_failed.v1"),
    (EventType::Failed, "finlinkd.connection.failed.v1"),
    (EventType::Recovered, "finlinkd.connection.recovered.v1"),
    (EventType::UpdateTokenIssued, "finlinkd.connection.update_token_issued.v1"),
    (EventType::ActionRequired, "finlinkd.connection.action_required.v1"),
    (EventType::Changed, "finlinkd.connection.changed.v1"),
    (EventType::Deleted, "finlinkd.connection.deleted.v1"),
    (EventType::Revived, "finlinkd.connection.revived.v1"),
];

fn connection(app: &str, token: &str) -> Connection {
    let status = json!({"credentialsToken": token, "status": "READY", "lastSync": "2026-01-02T00:00:00Z"});
    let status = ConnectionStatus::from_value(status).unwrap();
    Connection::from_status(app.parse().unwrap(), &status, 3, UtcMicros(1_767_312_000_000_000), None)
}

fn event(kind: EventType, value: &str) -> ConnectionEvent {
    ConnectionEvent::new(kind, value, vec!["last_sync".to_owned()], connection("shop", "ABCDEFGH12"))
}

#[test]
fn every_attribute_that_cloudevents_requires_is_there_and_a_string() {
    for (kind, _) in KINDS {
        let written = serde_json::to_value(event(kind, "x")).unwrap();
        for attribute in ["specversion", "id", "source", "type"] {
            assert!(written[attribute].as_str().is_some_and(|text| !text.is_empty()), "{attribute} of {written}");
        }
        assert_eq!(written["specversion"], "1.0");
    }
}

#[test]
fn attribute_names_are_lower_case_letters_and_digits_and_optional_attributes_are_strings() {
    let Value::Object(written) = serde_json::to_value(event(EventType::Synced, "x")).unwrap() else {
        panic!("an object")
    };
    for (name, value) in &written {
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{name}");
        assert!(name == "data" || value.is_string(), "{name}: {value}");
    }
    assert_eq!(written["time"], "2026-01-02T00:00:00.000000Z");
    assert_eq!(written["datacontenttype"], "application/json");
    assert_eq!(written["subject"], "ABCDEFGH12");
}

#[test]
fn the_source_is_a_uri_reference_that_names_the_app() {
    assert_eq!(event(EventType::Synced, "x").source, "/finlinkd/apps/shop");
}

#[test]
fn every_type_is_written_as_it_is_called_and_reads_back() {
    for (kind, name) in KINDS {
        assert_eq!(kind.as_str(), name);
        assert_eq!(serde_json::to_value(kind).unwrap(), name);
        assert_eq!(serde_json::from_value::<EventType>(json!(name)).unwrap(), kind);
    }
    assert!(serde_json::from_value::<EventType>(json!("finlinkd.connection.exploded.v1")).is_err());
}

#[test]
fn an_event_carries_its_version_what_changed_and_the_whole_connection() {
    let data = event(EventType::Synced, "x").data;
    assert_eq!((data.version, data.changed), (3, vec!["last_sync".to_owned()]));
    assert_eq!(data.connection, connection("shop", "ABCDEFGH12"));
}

#[test]
fn an_event_reads_back_as_it_was_written() {
    for (kind, _) in KINDS {
        let event = event(kind, "x");
        let written = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<ConnectionEvent>(&written).unwrap(), event);
    }
}

#[test]
fn the_same_change_has_the_same_id_whatever_else_the_event_says() {
    let mut later = connection("shop", "ABCDEFGH12");
    later.version = 99;
    later.as_of = UtcMicros(1_800_000_000_000_000);
    let again = ConnectionEvent::new(EventType::Synced, "2026-01-02", vec![], later);
    assert_eq!(again.id, event(EventType::Synced, "2026-01-02").id);
}

#[test]
fn app_token_type_and_value_each_make_another_id() {
    let of = |app: &str, token: &str, kind, value: &str| {
        ConnectionEvent::new(kind, value, vec![], connection(app, token)).id
    };
    let ids = [
        of("shop", "A1", EventType::Synced, "x"),
        of("shop2", "A1", EventType::Synced, "x"),
        of("shop", "A2", EventType::Synced, "x"),
        of("shop", "A1", EventType::Imported, "x"),
        of("shop", "A1", EventType::Synced, "y"),
        of("shop", "2A1", EventType::Synced, "x"),
        of("shop", "A1", EventType::Synced, ""),
    ];
    assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), ids.len());
}

#[test]
fn an_id_is_32_hexadecimal_digits_and_shows_no_token() {
    let id = event(EventType::UpdateTokenIssued, "7f2c1f0e-1111-4222-8333-444455556666").id;
    assert_eq!(id.len(), 32);
    assert!(id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{id}");
}

#[test]
fn ids_never_change_between_versions() {
    assert_eq!(event(EventType::Synced, "2026-01-02T00:00:00.000000Z").id, "f5238517b7d1c1048be5043e3dab9fb4");
}
