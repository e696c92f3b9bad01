//! The hash of a body, and the id that the store gives to it.

use events::{AppName, BodyHash, NotAHash};
use serde_json::json;

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn app(name: &str) -> AppName {
    name.parse().unwrap()
}

#[test]
fn a_hash_is_the_sha_256_in_lower_case_hex_and_reads_back() {
    assert_eq!(BodyHash::of(b"").to_string(), EMPTY);
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(BodyHash::of(b"abc").to_string(), abc);
    assert_eq!(abc.parse::<BodyHash>(), Ok(BodyHash::of(b"abc")));
    assert_eq!(abc.to_uppercase().parse::<BodyHash>(), Ok(BodyHash::of(b"abc")));
    assert_eq!(serde_json::to_value(BodyHash::of(b"abc")).unwrap(), json!(abc));
    assert_eq!(serde_json::from_value::<BodyHash>(json!(abc)).unwrap(), BodyHash::of(b"abc"));
}

#[test]
fn what_is_not_64_hexadecimal_digits_is_no_hash() {
    let (short, long, sign) = (&EMPTY[1..], format!("{EMPTY}0"), format!("+{}", &EMPTY[1..]));
    for text in ["", short, &long, &sign, &EMPTY.replace('e', "g"), &"é".repeat(32)] {
        assert_eq!(text.parse::<BodyHash>(), Err(NotAHash), "{text}");
    }
}

#[test]
fn the_id_of_a_body_is_its_own_in_each_app_and_the_same_for_everyone() {
    let body = BodyHash::of(b"abc");
    assert_eq!(body.body_id(&app("shop")), body.body_id(&app("shop")));
    assert_ne!(body.body_id(&app("shop")), body.body_id(&app("shop2")));
    assert_ne!(body.body_id(&app("shop")), BodyHash::of(b"abd").body_id(&app("shop")));
}

#[test]
fn the_id_of_a_body_never_changes_between_versions() {
    let hex = |id: [u8; 16]| id.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    assert_eq!(hex(BodyHash::of(b"").body_id(&app("shop"))), "b602b70a290d865fb6e4a53711debe8a");
}
