//! Signatures, checked the way Finlink's page says: with the key that the API serves.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use reqwest::Method;
use serde_json::Value;
use sha2::{Digest, Sha256};
use simulator::{Faults, Forgery, Settings, Simulator};
use uuid::Uuid;

use crate::caller::Caller;

/// The claims of a webhook's JWT, if the served key confirms it.
pub(crate) async fn confirmed(caller: &Caller, jwt: &str) -> Option<Value> {
    let head = decode_header(jwt).ok()?;
    if head.alg != Algorithm::ES256 || head.typ.as_deref() != Some("JWT") {
        return None;
    }
    let kid = Uuid::try_parse(&head.kid?).ok()?;
    let response = caller.get(&format!("/webhook_verification/{kid}")).await;
    if response.status() != 200 {
        return None;
    }
    let jwk: Value = response.json().await.unwrap();
    let key = DecodingKey::from_ec_components(jwk["x"].as_str()?, jwk["y"].as_str()?).ok()?;
    let mut rules = Validation::new(Algorithm::ES256);
    rules.required_spec_claims.clear();
    rules.validate_exp = false;
    decode::<Value>(jwt, &key, &rules).ok().map(|token| token.claims)
}

fn hash(body: &[u8]) -> String {
    Sha256::digest(body)
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|d| char::from_digit(d.into(), 16))
        .collect()
}

#[actix_web::test]
async fn a_signature_is_confirmed_by_the_served_key_and_binds_the_body_if_asked() {
    let simulator = Simulator::start_on_loopback(Settings::calm(1)).unwrap();
    let caller = Caller::reader(&simulator).await;
    let unbound = confirmed(&caller, &simulator.sign(b"{}", false)).await.unwrap();
    assert!(unbound["iat"].is_u64() && unbound.get("request_body_sha256").is_none());
    let bound = confirmed(&caller, &simulator.sign(b"{}", true)).await.unwrap();
    let hash = hash(b"{}");
    assert_eq!(bound["request_body_sha256"], hash);
    simulator.stop().await;
}

#[actix_web::test]
async fn a_key_is_five_strings_and_has_no_kid() {
    let simulator = Simulator::start_on_loopback(Settings::calm(1)).unwrap();
    let caller = Caller::reader(&simulator).await;
    let jwk = caller.json(&format!("/webhook_verification/{}", simulator.key().0)).await;
    let names: Vec<_> =
        jwk.as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value.is_string())).collect();
    assert_eq!(names, [("alg", true), ("crv", true), ("kty", true), ("x", true), ("y", true)]);
    assert_eq!(caller.status(Method::GET, "/webhook_verification/not-a-uuid").await, 404);
    simulator.stop().await;
}

#[actix_web::test]
async fn a_replaced_key_stays_served_until_it_is_retired() {
    let simulator = Simulator::start_on_loopback(Settings::calm(1)).unwrap();
    let caller = Caller::reader(&simulator).await;
    let (old, signed) = (simulator.key().0, simulator.sign(b"{}", false));
    let new = simulator.rotate_keys().unwrap();
    assert_ne!(old, new);
    assert_eq!(simulator.key().0, new);
    assert!(confirmed(&caller, &signed).await.is_some());
    assert!(confirmed(&caller, &simulator.sign(b"{}", false)).await.is_some());
    assert!(simulator.retire_key(old));
    assert!(!simulator.retire_key(old));
    assert!(confirmed(&caller, &signed).await.is_none());
    simulator.stop().await;
}

#[actix_web::test]
async fn the_key_endpoint_can_fail_alone() {
    let simulator = Simulator::start_on_loopback(Settings::calm(1)).unwrap();
    let caller = Caller::reader(&simulator).await;
    simulator.set_faults(Faults { keys_fail: true, ..Faults::default() });
    assert_eq!(caller.status(Method::GET, &format!("/webhook_verification/{}", simulator.key().0)).await, 500);
    assert_eq!(caller.status(Method::GET, "/queries/connections").await, 200);
    simulator.stop().await;
}

#[actix_web::test]
async fn no_forgery_passes_a_receiver_that_checks_as_the_page_says() {
    let simulator = Simulator::start_on_loopback(Settings::calm(1)).unwrap();
    let caller = Caller::reader(&simulator).await;
    let body = bytes::Bytes::from_static(b"{\"token\":\"AAAAAAAAAA\"}");
    let hash = hash(&body);
    for forgery in Forgery::ALL {
        let header = simulator.forge(forgery, &body);
        let claims = match &header {
            Some(jwt) => confirmed(&caller, jwt).await,
            None => None,
        };
        match forgery {
            Forgery::Tampered => assert_ne!(claims.unwrap()["request_body_sha256"], hash),
            Forgery::Old => {
                let age = jiff::Timestamp::now().as_second() - claims.unwrap()["iat"].as_i64().unwrap();
                assert!(age > 2 * 86_400, "{age}");
            }
            _ => assert!(claims.is_none(), "{forgery:?}"),
        }
    }
    simulator.stop().await;
}
