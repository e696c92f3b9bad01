//! App names, connection tokens and receipts.

use events::{AppName, ConnectionToken, NotAToken, Receipt};
use proptest::prelude::*;
use serde_json::json;

#[test]
fn an_app_name_is_1_to_64_of_lower_case_letters_digits_and_underscore() {
    let longest = "a".repeat(AppName::LENGTH_MAX);
    for name in ["a", "shop", "shop_2", "0", "_", &longest] {
        assert_eq!(name.parse::<AppName>().unwrap().to_string(), name);
    }
    let too_long = "a".repeat(AppName::LENGTH_MAX + 1);
    for text in ["", "Shop", "my-shop", "a.b", "a/b", "a b", " a", "a\n", "é", "a\0", "#", "*", &too_long] {
        assert!(text.parse::<AppName>().is_err(), "{text:?}");
    }
}

#[test]
fn what_is_not_an_app_name_is_named_in_the_error_and_cut() {
    let error = "x".repeat(5_000).parse::<AppName>().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("expected 1 to 64 of the characters a-z, 0-9 and _"), "{text}");
    assert!(text.len() < 200);
}

#[test]
fn an_app_name_in_json_is_checked() {
    assert_eq!(serde_json::from_value::<AppName>(json!("shop")).unwrap().as_str(), "shop");
    assert_eq!(serde_json::to_value("shop".parse::<AppName>().unwrap()).unwrap(), json!("shop"));
    for value in [json!("Shop"), json!(7), json!(null)] {
        assert!(serde_json::from_value::<AppName>(value).is_err());
    }
}

#[test]
fn a_token_is_1_to_64_characters_that_need_no_escaping_in_a_url() {
    let longest = "A".repeat(ConnectionToken::LENGTH_MAX);
    for token in ["ABCDEFGH12", "a", "x-y_z", &longest] {
        assert_eq!(token.parse::<ConnectionToken>().unwrap().as_str(), token);
    }
    let too_long = "A".repeat(ConnectionToken::LENGTH_MAX + 1);
    for text in ["", "A B", "A/B", "..", "A%41", "A?b", "É", "A\0", "A\r\nB", &too_long] {
        assert_eq!(text.parse::<ConnectionToken>(), Err(NotAToken), "{text:?}");
    }
}

#[test]
fn what_is_not_a_token_is_not_repeated_in_the_error() {
    let error = serde_json::from_value::<ConnectionToken>(json!("<script>")).unwrap_err();
    assert!(!error.to_string().contains("script"), "{error}");
}

#[test]
fn a_receipt_is_a_uuid_of_version_7_and_reads_back() {
    let receipt = Receipt::draw();
    assert_eq!(receipt.0.get_version_num(), 7);
    assert_eq!(receipt.to_string().parse::<Receipt>().unwrap(), receipt);
    assert_eq!(serde_json::to_value(receipt).unwrap(), json!(receipt.to_string()));
    assert!("not a receipt".parse::<Receipt>().is_err());
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic_and_what_parses_is_written_as_it_was(text in any::<String>()) {
        if let Ok(name) = text.parse::<AppName>() {
            prop_assert_eq!(name.as_str(), &text);
        }
        if let Ok(token) = text.parse::<ConnectionToken>() {
            prop_assert_eq!(token.as_str(), &text);
        }
    }
}
