//! Which JWKs become keys.

use crate::signer::{Signer, encode};
use events::AppName;
use serde_json::{Value, json};
use uuid::Uuid;
use verification::KeySet;

fn insert(jwk: &Value) -> bool {
    KeySet::default().insert(&"main".parse().unwrap(), Uuid::nil(), jwk).is_ok()
}

fn with(field: &str, value: Value) -> Value {
    let mut jwk = Signer::generate().jwk();
    jwk[field] = value;
    jwk
}

#[test]
fn a_p256_key_is_taken_and_can_be_forgotten() {
    let app: AppName = "main".parse().unwrap();
    let (mut keys, signer) = (KeySet::default(), Signer::generate());
    assert!(keys.is_empty());
    keys.insert(&app, signer.kid, &signer.jwk()).unwrap();
    keys.insert(&app, signer.kid, &signer.jwk()).unwrap();
    assert!(keys.contains(&app, signer.kid) && !keys.contains(&"other".parse().unwrap(), signer.kid));
    assert_eq!(keys.len(), 1);
    assert!(keys.remove(&app, signer.kid) && !keys.remove(&app, signer.kid));
    assert!(keys.is_empty());
}

#[test]
fn anything_else_is_not() {
    for bad in [
        json!(null),
        json!([]),
        json!({}),
        with("kty", json!("RSA")),
        with("kty", json!("oct")),
        with("crv", json!("P-384")),
        with("crv", json!("secp256k1")),
        with("alg", json!("ES384")),
        with("x", json!(encode(&[1; 31]))),
        with("y", json!(encode(&[1; 33]))),
        with("x", json!("")),
        with("x", json!(7)),
        with("y", json!("not base64url")),
        with("y", Value::Null),
        // 32 bytes, and no point of the curve has both coordinates.
        with("x", json!(encode(&[1; 32]))),
        with("y", json!(encode(&[0; 32]))),
        with("y", json!(encode(&[0xff; 32]))),
    ] {
        assert!(!insert(&bad), "{bad}");
    }
}

#[test]
fn alg_may_be_absent() {
    let mut jwk = Signer::generate().jwk();
    jwk.as_object_mut().unwrap().remove("alg");
    assert!(insert(&jwk));
}

#[test]
fn a_key_set_shows_no_key_material() {
    let signer = Signer::generate();
    let mut keys = KeySet::default();
    keys.insert(&"main".parse().unwrap(), signer.kid, &signer.jwk()).unwrap();
    assert_eq!(format!("{keys:?}"), format!("{{main: [{}]}}", signer.kid));
}
