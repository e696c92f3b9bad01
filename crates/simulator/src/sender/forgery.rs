//! Webhooks that Finlink never sent. Each kind must be refused by a receiver that does what Finlink's page says.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use uuid::Uuid;

use crate::keys::{Claims, Key, KeyRing, now_unix_seconds};

/// How a webhook is forged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Forgery {
    /// Signed by another key under the id of the real one.
    WrongKey,
    /// Signed by a key that the API never heard of. A receiver can't refuse it before it has asked, so it may be answered
    /// with 200; it must never count as verified.
    UnknownKey,
    /// A header that is no JWT.
    Garbage,
    /// No header.
    Unsigned,
    /// A true signature that binds another body.
    Tampered,
    /// The true key's id, `alg` `none`, no signature.
    AlgorithmNone,
    /// Signed with HS256, the public key being the secret.
    AlgorithmHs256,
    /// Signed by the true key, three days ago.
    Old,
}

impl Forgery {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::WrongKey,
        Self::UnknownKey,
        Self::Garbage,
        Self::Unsigned,
        Self::Tampered,
        Self::AlgorithmNone,
        Self::AlgorithmHs256,
        Self::Old,
    ];
}

/// The `vumi-verification` header of a forgery of `body`; `None`: it has none.
pub(crate) fn header(forgery: Forgery, keys: &KeyRing, body: &[u8]) -> Option<String> {
    const THREE_DAYS_S: u64 = 3 * 86_400;
    let truth = keys.current();
    let claims = Claims::new(now_unix_seconds(), Some(body));
    Some(match forgery {
        Forgery::WrongKey => keys.stranger().sign_as(truth.kid(), &claims),
        Forgery::UnknownKey => keys.stranger().sign_as(Uuid::new_v4(), &claims),
        Forgery::Garbage => "three.part.garbage".to_owned(),
        Forgery::Unsigned => return None,
        Forgery::Tampered => {
            let other = [body, b" "].concat();
            truth.sign_as(truth.kid(), &Claims::new(now_unix_seconds(), Some(&other)))
        }
        Forgery::AlgorithmNone => none(&truth, &claims),
        Forgery::AlgorithmHs256 => hs256(&truth, &claims),
        Forgery::Old => {
            truth.sign_as(truth.kid(), &Claims::new(now_unix_seconds().saturating_sub(THREE_DAYS_S), Some(body)))
        }
    })
}

fn none(key: &Key, claims: &Claims) -> String {
    let head = json!({ "alg": "none", "typ": "JWT", "kid": key.kid() }).to_string();
    let claims = json!(claims).to_string();
    format!("{}.{}.", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims))
}

fn hs256(key: &Key, claims: &Claims) -> String {
    let mut head = Header::new(Algorithm::HS256);
    head.kid = Some(key.kid().to_string());
    let secret = EncodingKey::from_secret(key.jwk().x.as_bytes());
    // Only a claim that is no JSON fails, and these are.
    jsonwebtoken::encode(&head, claims, &secret).unwrap_or_default()
}
