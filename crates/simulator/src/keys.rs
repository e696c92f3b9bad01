//! The signing keys: one that signs, older ones that are still served, and a forger's.
//!
//! Keys are not drawn from the seed: nothing in a world depends on them.

use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::shared::Shared;

/// So many keys are served; the oldest is forgotten when another one comes.
const KEYS_MAX: usize = 64;

/// A key can't be made: the machine has no randomness to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the simulator can't make a signing key: the system's random numbers failed")]
pub struct NoKey;

/// A public key as `GET /webhook_verification/{kid}` shows it: five strings, no `kid`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwk {
    /// The first coordinate, 32 bytes in base64url without padding.
    pub x: String,
    /// The second one.
    pub y: String,
    /// `ES256`.
    pub alg: &'static str,
    /// `P-256`.
    pub crv: &'static str,
    /// `EC`.
    pub kty: &'static str,
}

/// A key pair.
pub(crate) struct Key {
    kid: Uuid,
    private: EncodingKey,
    jwk: Jwk,
}

/// What a webhook's JWT says.
#[derive(Debug, Serialize)]
pub(crate) struct Claims {
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_body_sha256: Option<String>,
}

impl Claims {
    /// Issued at that Unix time, and bound to a body or not.
    pub(crate) fn new(iat: u64, body: Option<&[u8]>) -> Self {
        Self { iat, request_body_sha256: body.map(|body| lower_hex(&Sha256::digest(body))) }
    }
}

impl Key {
    fn generate() -> Result<Self, NoKey> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| NoKey)?;
        let private = pair.to_pkcs8v1().map_err(|_| NoKey)?;
        // An uncompressed point: 4, then 32 bytes each.
        let point = pair.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        Ok(Self {
            kid: Uuid::new_v4(),
            private: EncodingKey::from_ec_der(private.as_ref()),
            jwk: Jwk {
                x: URL_SAFE_NO_PAD.encode(x),
                y: URL_SAFE_NO_PAD.encode(y),
                alg: "ES256",
                crv: "P-256",
                kty: "EC",
            },
        })
    }

    pub(crate) fn kid(&self) -> Uuid {
        self.kid
    }

    pub(crate) fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// Signs with this key, under any id.
    pub(crate) fn sign_as(&self, kid: Uuid, claims: &Claims) -> String {
        let mut head = Header::new(Algorithm::ES256);
        head.kid = Some(kid.to_string());
        // A good key and claims that are JSON can't fail; were it otherwise, the receiver would refuse the empty header.
        jsonwebtoken::encode(&head, claims, &self.private).unwrap_or_default()
    }
}

/// All keys.
#[derive(Clone)]
pub(crate) struct KeyRing {
    served: Shared<Vec<Arc<Key>>>,
    current: Shared<Arc<Key>>,
    stranger: Arc<Key>,
}

impl KeyRing {
    pub(crate) fn generate() -> Result<Self, NoKey> {
        let first = Arc::new(Key::generate()?);
        Ok(Self {
            served: Shared::new(vec![Arc::clone(&first)]),
            current: Shared::new(first),
            stranger: Arc::new(Key::generate()?),
        })
    }

    /// The key that signs.
    pub(crate) fn current(&self) -> Arc<Key> {
        Arc::clone(&self.current.lock())
    }

    /// A key that was never Finlink's.
    pub(crate) fn stranger(&self) -> &Key {
        &self.stranger
    }

    /// Signs a body as Finlink does.
    pub(crate) fn sign(&self, body: &[u8], bind: bool) -> String {
        let key = self.current();
        key.sign_as(key.kid, &Claims::new(now_unix_seconds(), bind.then_some(body)))
    }

    /// A new key signs from now on; the old ones stay served.
    pub(crate) fn rotate(&self) -> Result<Uuid, NoKey> {
        let key = Arc::new(Key::generate()?);
        let kid = key.kid;
        let mut served = self.served.lock();
        if served.len() == KEYS_MAX {
            served.remove(0);
        }
        served.push(Arc::clone(&key));
        *self.current.lock() = key;
        Ok(kid)
    }

    /// A key is served no longer, even where it still signs.
    pub(crate) fn retire(&self, kid: Uuid) -> bool {
        let mut served = self.served.lock();
        let before = served.len();
        served.retain(|key| key.kid != kid);
        served.len() < before
    }

    /// The public key of an id, while it is served.
    pub(crate) fn serve(&self, kid: Uuid) -> Option<Jwk> {
        self.served.lock().iter().find(|key| key.kid == kid).map(|key| key.jwk.clone())
    }
}

/// The time that a JWT says.
pub(crate) fn now_unix_seconds() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or_default()
}

fn lower_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a `String` can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
