//! A sender's side of the signature, written from Finlink's documentation alone and sharing no code with the simulator.

use anyhow::{Context, Result, anyhow};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// A key pair of a sender.
#[derive(Debug)]
pub struct SigningKey {
    /// Its id.
    pub kid: Uuid,
    pair: EcdsaKeyPair,
}

impl SigningKey {
    /// A new key.
    pub fn generate() -> Result<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| anyhow!("no key"))?;
        Ok(Self { kid: Uuid::new_v4(), pair })
    }

    /// Another key that claims to be this one.
    pub fn impostor(&self) -> Result<Self> {
        Ok(Self { kid: self.kid, ..Self::generate()? })
    }

    /// Its public half as Finlink's key endpoint shows it.
    pub fn jwk(&self) -> Result<Value> {
        let point = self.pair.public_key().as_ref();
        let (x, y) = point.get(1..).context("no point")?.split_at_checked(32).context("a short point")?;
        let text = |part: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(part);
        Ok(json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "x": text(x), "y": text(y)}))
    }

    /// A JWT with these claims, in the header and form that Finlink documents.
    pub fn sign(&self, claims: &Value) -> Result<String> {
        self.sign_with_header(&json!({"alg": "ES256", "typ": "JWT", "kid": self.kid}), claims)
    }

    /// A JWT with any header.
    pub fn sign_with_header(&self, header: &Value, claims: &Value) -> Result<String> {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).map_err(|_| anyhow!("no signature"))?;
        Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// Claims of a token made just now for this body and no other.
pub fn claims_of(body: &[u8]) -> Value {
    json!({"iat": Timestamp::now().as_second(), "request_body_sha256": sha256(body)})
}

/// Claims of a token made just now that binds no body.
pub fn claims_of_no_body() -> Value {
    json!({"iat": Timestamp::now().as_second()})
}

/// SHA-256 in lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digest = digest(&SHA256, bytes);
    let digits = digest.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// A whole webhook request for `app`, head and body.
pub fn request(app: &str, jwt: &str, body: &[u8]) -> Bytes {
    let mut request = format!(
        "POST /webhooks/{app} HTTP/1.1\r\nhost: finlinkd.test\r\ncontent-type: application/json\r\n\
         vumi-verification: {jwt}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request.into()
}
