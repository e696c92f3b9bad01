//! Keys as Finlink has them, and JWTs as it makes them.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use events::{BodyHash, UtcMicros};
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) struct SigningKey {
    pub(crate) kid: Uuid,
    pub(crate) pair: EcdsaKeyPair,
}

impl SigningKey {
    pub(crate) fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { kid: Uuid::new_v4(), pair }
    }

    pub(crate) fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let part = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&point[range]);
        json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "x": part(1..33), "y": part(33..65) })
    }

    /// A JWT for `body`, signed at `at`.
    pub(crate) fn jwt(&self, body: &[u8], at: UtcMicros) -> String {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(json!({ "alg": "ES256", "typ": "JWT", "kid": self.kid }));
        let claims = part(json!({ "iat": at.0 / 1_000_000, "request_body_sha256": BodyHash::of(body).to_string() }));
        let signed = format!("{header}.{claims}");
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}
