//! What a token is worth, for good tokens and for every kind of bad one.

use crate::signer::{Signer, encode};
use events::{AppName, BodyHash, UtcMicros};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;
use verification::{JWT_BYTES_MAX, KeySet, Outcome, Refusal, Rules, Verified, verify};

const NOW: UtcMicros = UtcMicros(1_767_225_600_000_000);
const NOW_SECONDS: i64 = 1_767_225_600;
const HOUR: i64 = 3600;
const BODY: &[u8] = br#"{"connectionToken":"K7QF2M9ZTA"}"#;

struct World {
    signer: Signer,
    keys: KeySet,
    app: AppName,
    rules: Rules,
}

impl World {
    fn new() -> Self {
        let signer = Signer::generate();
        let app: AppName = "main".parse().unwrap();
        let mut keys = KeySet::default();
        keys.insert(&app, signer.kid, &signer.jwk()).unwrap();
        Self { signer, keys, app, rules: Rules::default() }
    }

    fn judge(&self, jwt: &str) -> Outcome {
        verify(jwt, &BodyHash::of(BODY), &self.app, &self.keys, &self.rules, NOW)
    }

    fn with_header(&self, header: &Value) -> Outcome {
        self.judge(&self.signer.sign(header, &json!({})))
    }

    fn with_claims(&self, claims: &Value) -> Outcome {
        self.judge(&self.signer.sign(&self.signer.header(), claims))
    }

    fn verified(&self, binds_body: bool) -> Outcome {
        Outcome::Verified(Verified { kid: self.signer.kid, binds_body })
    }
}

fn refused(refusal: Refusal) -> Outcome {
    Outcome::Refused(refusal)
}

#[test]
fn a_token_without_claims_proves_the_sender_and_not_the_body() {
    let world = World::new();
    assert_eq!(world.with_claims(&json!({})), world.verified(false));
}

#[test]
fn each_hash_claim_binds_the_body() {
    let world = World::new();
    let hash = BodyHash::of(BODY).to_string();
    for claim in ["request_body_sha256", "body_sha256", "body_hash"] {
        assert_eq!(world.with_claims(&json!({claim: hash, "iat": NOW_SECONDS})), world.verified(true), "{claim}");
    }
}

#[test]
fn a_hash_of_another_body_is_refused_even_beside_a_good_one() {
    let world = World::new();
    let (good, bad) = (BodyHash::of(BODY).to_string(), BodyHash::of(b"other").to_string());
    assert_eq!(world.with_claims(&json!({"body_hash": bad})), refused(Refusal::BodyHash));
    assert_eq!(world.with_claims(&json!({"body_hash": good, "body_sha256": bad})), refused(Refusal::BodyHash));
    for bad in [good.to_uppercase(), good[..63].to_owned(), format!("{good}0"), String::new()] {
        assert_eq!(world.with_claims(&json!({"body_hash": bad})), refused(Refusal::BodyHash), "{bad}");
    }
    assert_eq!(world.with_claims(&json!({"body_hash": 7})), refused(Refusal::Claims));
}

#[test]
fn what_is_not_a_jwt_is_refused() {
    let world = World::new();
    let good = world.signer.sign(&world.signer.header(), &json!({}));
    let long = "a".repeat(JWT_BYTES_MAX);
    for bad in [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c",
        "abc",
        "ä.ö.ü",
        "!!.!!.!!",
        "e30",
        "\0.\0.\0",
        &format!("{good}.x"),
        &format!(".{good}"),
        &format!(" {good}"),
        &format!("{good}={long}"),
        &good.replace('.', "~"),
    ] {
        assert_eq!(world.judge(bad), refused(Refusal::Malformed), "{bad:?}");
    }
    for header in ["null", "[]", "7", "\"ES256\"", "{", r#"{"alg":"ES256","alg":"none"}"#, r#"{"alg":7}"#, "\u{feff}{}"]
    {
        let jwt = world.signer.sign_bytes(header.as_bytes(), b"{}");
        assert!(matches!(world.judge(&jwt), Outcome::Refused(_)), "{header}");
    }
}

#[test]
fn only_es256_passes() {
    let world = World::new();
    for alg in [json!("none"), json!("HS256"), json!("RS256"), json!("ES384"), json!("es256"), json!(""), Value::Null] {
        let header = json!({"alg": alg, "typ": "JWT", "kid": world.signer.kid});
        assert_eq!(world.with_header(&header), refused(Refusal::Algorithm), "{header}");
    }
    assert_eq!(world.with_header(&json!({"typ": "JWT", "kid": world.signer.kid})), refused(Refusal::Algorithm));
}

#[test]
fn an_unsigned_token_is_refused() {
    let world = World::new();
    let unsigned = format!("{}.{}.", encode(world.signer.header().to_string().as_bytes()), encode(b"{}"));
    assert_eq!(world.judge(&unsigned), refused(Refusal::Signature));
}

#[test]
fn typ_must_be_jwt() {
    let world = World::new();
    for typ in [json!("JWE"), json!("jwt"), json!("at+jwt"), Value::Null] {
        let header = json!({"alg": "ES256", "typ": typ, "kid": world.signer.kid});
        assert_eq!(world.with_header(&header), refused(Refusal::Type), "{header}");
    }
    assert_eq!(world.with_header(&json!({"alg": "ES256", "kid": world.signer.kid})), refused(Refusal::Type));
}

#[test]
fn kid_must_be_a_uuid() {
    let world = World::new();
    for kid in [json!("key-1"), json!("../../etc/passwd"), json!(""), Value::Null] {
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": kid});
        assert_eq!(world.with_header(&header), refused(Refusal::KeyId), "{header}");
    }
    assert_eq!(world.with_header(&json!({"alg": "ES256", "typ": "JWT"})), refused(Refusal::KeyId));
}

#[test]
fn critical_extensions_are_refused() {
    let world = World::new();
    for crit in [json!(["exp"]), json!([]), Value::Null] {
        let mut header = world.signer.header();
        header["crit"] = crit;
        assert_eq!(world.with_header(&header), refused(Refusal::Critical), "{header}");
    }
}

#[test]
fn an_unknown_key_is_named_and_nothing_more() {
    let world = World::new();
    let other = Uuid::from_u128(0xf00d);
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": other});
    assert_eq!(world.with_header(&header), Outcome::UnknownKey(other));
    // A key counts for its own app only.
    let jwt = world.signer.sign(&world.signer.header(), &json!({}));
    let elsewhere = verify(&jwt, &BodyHash::of(BODY), &"other".parse().unwrap(), &world.keys, &world.rules, NOW);
    assert_eq!(elsewhere, Outcome::UnknownKey(world.signer.kid));
}

#[test]
fn another_keys_signature_under_a_known_kid_is_refused() {
    let world = World::new();
    let forger = Signer::generate();
    assert_eq!(world.judge(&forger.sign(&forger.header(), &json!({}))), refused(Refusal::Signature));
}

#[test]
fn a_signature_of_another_length_is_refused_before_the_key_is_looked_up() {
    let world = World::new();
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": Uuid::from_u128(0xf00d)});
    let jwt = world.signer.sign(&header, &json!({}));
    assert_eq!(world.judge(&jwt[..jwt.len() - 1]), refused(Refusal::Signature));
}

#[test]
fn claims_that_are_no_object_are_refused() {
    let world = World::new();
    for claims in ["null", "[]", "7", "{", "", "\u{0}"] {
        let jwt = world.signer.sign_bytes(world.signer.header().to_string().as_bytes(), claims.as_bytes());
        assert_eq!(world.judge(&jwt), refused(Refusal::Claims), "{claims}");
    }
}

#[test]
fn a_token_may_be_as_old_as_a_retry() {
    let world = World::new();
    let at = |claims: Value| world.with_claims(&claims);
    assert_eq!(at(json!({"iat": NOW_SECONDS - 25 * HOUR})), world.verified(false));
    assert_eq!(at(json!({"iat": NOW_SECONDS - 26 * HOUR})), refused(Refusal::TooOld));
    assert_eq!(at(json!({"iat": NOW_SECONDS as f64 - 0.5})), world.verified(false));
    assert_eq!(at(json!({"exp": NOW_SECONDS - 24 * HOUR})), world.verified(false));
    assert_eq!(at(json!({"exp": NOW_SECONDS - 26 * HOUR})), refused(Refusal::Expired));
    assert_eq!(at(json!({"exp": 0})), refused(Refusal::Expired));
    assert_eq!(at(json!({"exp": 1e300})), world.verified(false));
}

#[test]
fn a_token_from_the_future_is_refused_beyond_the_tolerance() {
    let world = World::new();
    for claim in ["iat", "nbf"] {
        assert_eq!(world.with_claims(&json!({claim: NOW_SECONDS + 290})), world.verified(false), "{claim}");
        assert_eq!(world.with_claims(&json!({claim: NOW_SECONDS + 310})), refused(Refusal::NotYet), "{claim}");
    }
}

#[test]
fn an_enforced_claim_of_another_type_is_refused_and_null_is_absent() {
    let world = World::new();
    for claim in ["iat", "nbf", "exp"] {
        for value in [json!("2026-01-01"), json!("1767225600"), json!(true), json!([1]), json!({})] {
            assert_eq!(world.with_claims(&json!({claim: value})), refused(Refusal::Claims), "{claim} {value}");
        }
        assert_eq!(world.with_claims(&json!({claim: null})), world.verified(false), "{claim}");
    }
}

/// Signed by OpenSSL with the key of RFC 7515, appendix A.3.
#[test]
fn a_token_signed_elsewhere_verifies() {
    const JWT: &str = "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6IjNmMmI4YzFlLTZkNTQtNGEwYi05Zjc3LTFjMmQzZTRmNWE2YiJ9.\
        eyJpYXQiOjE3NjcyMjU2MDAsInJlcXVlc3RfYm9keV9zaGEyNTYiOiJjOWYyMmYzMDUxNDM5M2RhMGQ4MTA1MTZlZjU3Y2RjMzY2MGI5NTViZWZl\
        YTg3MWIwYWUxYzYyN2MwZmUzYmVkIn0.\
        p1_2XeQplXaUeTYIR6Hnxbv5OFS6kHc_yNIRp9Wsyie76n96PRT-NkM_FanYYv0SahgGcMH9Lmdo57X7wTzlNg";
    let kid: Uuid = "3f2b8c1e-6d54-4a0b-9f77-1c2d3e4f5a6b".parse().unwrap();
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "alg": "ES256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    let mut world = World::new();
    world.keys.insert(&world.app, kid, &jwk).unwrap();
    assert_eq!(world.judge(JWT), Outcome::Verified(Verified { kid, binds_body: true }));
}

#[test]
fn every_refusal_has_its_own_word() {
    let words: std::collections::BTreeSet<_> = Refusal::ALL.iter().map(|refusal| refusal.word()).collect();
    assert_eq!(words.len(), Refusal::ALL.len());
}

proptest! {
    #[test]
    fn no_token_survives_a_flipped_bit(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let world = World::new();
        let good = world.signer.sign(&world.signer.header(), &json!({"iat": NOW_SECONDS}));
        let mut bytes = good.clone().into_bytes();
        bytes[at.index(good.len())] ^= 1 << bit;
        // What is not UTF-8 never gets here: a header's value is read as text first.
        if let Ok(jwt) = String::from_utf8(bytes) {
            prop_assert!(!matches!(world.judge(&jwt), Outcome::Verified(_)), "{}", jwt);
        }
    }

    #[test]
    fn no_text_makes_it_panic(jwt in "\\PC*") {
        let world = World::new();
        prop_assert!(!matches!(world.judge(&jwt), Outcome::Verified(_)));
    }

    #[test]
    fn no_claims_make_it_panic(claims in proptest::collection::vec(any::<u8>(), 0..64)) {
        let world = World::new();
        let jwt = world.signer.sign_bytes(world.signer.header().to_string().as_bytes(), &claims);
        world.judge(&jwt);
    }
}
