//! What a body tells: the tokens that it names, and nothing of its state.

use events::{BodyTells, ConnectionToken, TOKENS_PER_BODY_MAX, TokenFields};
use proptest::prelude::*;
use serde_json::{Value, json};

fn read(body: &[u8]) -> BodyTells {
    BodyTells::read(body, &TokenFields::default())
}

fn read_json(body: &Value) -> BodyTells {
    read(body.to_string().as_bytes())
}

fn tokens<const N: usize>(tokens: [&str; N]) -> BodyTells {
    BodyTells::Tokens { tokens: tokens.iter().map(|token| token.parse().unwrap()).collect(), more: false }
}

#[test]
fn a_token_may_stand_under_any_of_the_names_at_the_top_level() {
    for name in ["connectionToken", "credentialsToken", "token"] {
        assert_eq!(read_json(&json!({ name: "ABCDEFGH12", "status": "READY" })), tokens(["ABCDEFGH12"]));
    }
}

#[test]
fn a_token_may_stand_one_object_deep_but_not_two() {
    assert_eq!(read_json(&json!({"event": "x", "data": {"token": "ABCDEFGH12"}})), tokens(["ABCDEFGH12"]));
    for too_deep in
        [json!({"data": {"connection": {"token": "A1"}}}), json!({"data": [{"connection": {"token": "A1"}}]})]
    {
        assert_eq!(read_json(&too_deep), BodyTells::Nothing, "{too_deep}");
    }
}

#[test]
fn arrays_are_looked_into_at_both_levels() {
    let several = json!([{"token": "A1"}, {"data": {"token": "B2"}}, "C3", 4]);
    assert_eq!(read_json(&several), tokens(["A1", "B2"]));
    assert_eq!(read_json(&json!({"connections": [{"token": "A1"}, {"token": "B2"}]})), tokens(["A1", "B2"]));
    assert_eq!(read_json(&json!({"token": ["A1", "B2", 3, {"token": "C3"}]})), tokens(["A1", "B2", "C3"]));
    assert_eq!(read_json(&json!([[{"token": "A1"}]])), BodyTells::Nothing);
}

#[test]
fn a_token_named_twice_counts_once() {
    assert_eq!(read_json(&json!([{"token": "A1", "connectionToken": "A1"}, {"token": "A1"}])), tokens(["A1"]));
}

#[test]
fn of_a_thousand_tokens_twenty_count_and_the_rest_is_told() {
    let names: Vec<String> = (0..1_000).map(|number| format!("TOKEN{number:05}")).collect();
    let body = json!(names.iter().map(|name| json!({ "token": name })).collect::<Vec<_>>());
    let BodyTells::Tokens { tokens, more } = read_json(&body) else { panic!("tokens were named") };
    assert_eq!(tokens.iter().map(ConnectionToken::as_str).collect::<Vec<_>>(), names[..20]);
    assert!(more);
}

#[test]
fn twenty_tokens_and_a_repetition_are_not_more() {
    let names = (0..20).chain(0..20).map(|number| json!({ "token": format!("T{number}") }));
    let BodyTells::Tokens { tokens, more } = read_json(&json!(names.collect::<Vec<_>>())) else { panic!("tokens") };
    assert_eq!((tokens.len(), more), (20, false));
}

#[test]
fn a_uuid_is_another_kind_of_token_and_is_skipped() {
    let uuids = ["7f2c1f0e-1111-4222-8333-444455556666", "7F2C1F0E111142228333444455556666"];
    for uuid in uuids {
        assert_eq!(read_json(&json!({ "token": uuid })), BodyTells::Nothing);
        assert_eq!(read_json(&json!({ "token": uuid, "credentialsToken": "A1" })), tokens(["A1"]));
    }
}

#[test]
fn what_is_not_a_token_is_no_token() {
    let long = "A".repeat(65);
    for value in [json!(""), json!(long), json!("A/B"), json!("A\0"), json!(7), json!(true), json!(null), json!({})] {
        assert_eq!(read_json(&json!({ "token": value })), BodyTells::Nothing);
    }
}

#[test]
fn json_that_names_nobody_tells_nothing() {
    for body in ["{}", "[]", "null", "1", "\"ABCDEFGH12\"", r#"{"Token": "ABCDEFGH12"}"#, " {\"a\": 1} \n"] {
        assert_eq!(read(body.as_bytes()), BodyTells::Nothing, "{body}");
    }
}

#[test]
fn what_is_not_json_is_unreadable() {
    let bodies: [&[u8]; 9] = [
        b"",
        b" ",
        b"token=ABCDEFGH12",
        b"{\"token\": \"ABCDEFGH12\"",
        b"{\"token\": \"ABCDEFGH12\"} {}",
        b"{\"token\": \"\xff\"}",
        b"\0",
        b"{\"token\": \"A\0B\"}",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
    ];
    for body in bodies {
        assert_eq!(read(body), BodyTells::Unreadable, "{}", body.escape_ascii());
    }
}

#[test]
fn json_nested_too_deep_is_unreadable_and_costs_no_stack() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = open.repeat(100_000) + "1" + &close.repeat(100_000);
        assert_eq!(read(deep.as_bytes()), BodyTells::Unreadable);
    }
    let shallow = "[".repeat(100) + &"]".repeat(100);
    assert_eq!(read(shallow.as_bytes()), BodyTells::Nothing);
}

#[test]
fn the_names_are_a_setting() {
    let fields = TokenFields(vec!["id".to_owned()]);
    assert_eq!(BodyTells::read(br#"{"id": "A1", "token": "B2"}"#, &fields), tokens(["A1"]));
    assert_eq!(BodyTells::read(br#"{"id": "A1"}"#, &TokenFields(vec![])), BodyTells::Nothing);
}

#[test]
fn what_a_body_tells_is_written_and_read_back() {
    for tells in [tokens(["A1"]), BodyTells::Nothing, BodyTells::Unreadable] {
        let written = serde_json::to_value(&tells).unwrap();
        assert!(written.to_string().contains(tells.word()), "{written}");
        assert_eq!(serde_json::from_value::<BodyTells>(written).unwrap(), tells);
    }
}

proptest! {
    #[test]
    fn no_body_makes_the_reader_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&body);
    }

    #[test]
    fn never_more_tokens_than_count_and_each_once(names in prop::collection::vec("[A-C]{1,3}", 0..60)) {
        let body = json!(names.iter().map(|name| json!({ "token": name })).collect::<Vec<_>>());
        let distinct: std::collections::HashSet<_> = names.iter().collect();
        match read_json(&body) {
            BodyTells::Tokens { tokens, more } => {
                prop_assert_eq!(tokens.len(), distinct.len().min(TOKENS_PER_BODY_MAX));
                prop_assert_eq!(tokens.iter().collect::<std::collections::HashSet<_>>().len(), tokens.len());
                prop_assert_eq!(more, distinct.len() > TOKENS_PER_BODY_MAX);
            }
            other => prop_assert!(distinct.is_empty() && other == BodyTells::Nothing),
        }
    }
}
