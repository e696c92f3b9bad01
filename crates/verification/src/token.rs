//! The shape of a JWT: three parts, and a header that is one of ours. Nothing here is trusted yet.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

use crate::Refusal;

/// The request header that carries the JWT.
pub const HEADER: &str = "vumi-verification";

/// The longest JWT that is looked at.
pub const JWT_BYTES_MAX: usize = 8 * 1024;

/// An ES256 signature: r and s.
const SIGNATURE_BYTES: usize = 64;
/// The same in base64url without padding.
const SIGNATURE_CHARS: usize = 86;

/// A JWT taken apart, its header checked.
pub(crate) struct Token<'a> {
    /// What is signed: header and claims as they stand, with the dot between them.
    pub(crate) message: &'a str,
    /// The claims, in base64url.
    pub(crate) claims: &'a str,
    pub(crate) signature: [u8; SIGNATURE_BYTES],
    /// The key that it names. Finlink documents a UUID: its value counts, and not how it is spelled (RFC 9562).
    pub(crate) kid: Uuid,
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow, default)]
    alg: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    typ: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    kid: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// Takes `jwt` apart and checks its header.
pub(crate) fn take_apart(jwt: &str) -> Result<Token<'_>, Refusal> {
    if jwt.len() > JWT_BYTES_MAX {
        return Err(Refusal::Malformed);
    }
    let (message, signature) = jwt.rsplit_once('.').ok_or(Refusal::Malformed)?;
    let (header, claims) = message.split_once('.').ok_or(Refusal::Malformed)?;
    if claims.contains('.') {
        return Err(Refusal::Malformed);
    }
    let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| Refusal::Malformed)?;
    let header: Header<'_> = serde_json::from_slice(&header).map_err(|_| Refusal::Malformed)?;
    if header.alg.as_deref() != Some("ES256") {
        return Err(Refusal::Algorithm);
    }
    if header.typ.as_deref() != Some("JWT") {
        return Err(Refusal::Type);
    }
    if header.crit {
        return Err(Refusal::Critical);
    }
    let kid = header.kid.as_deref().and_then(|kid| Uuid::try_parse(kid).ok()).ok_or(Refusal::KeyId)?;
    let signature = decoded(signature).ok_or(Refusal::Signature)?;
    Ok(Token { message, claims, signature, kid })
}

fn decoded(signature: &str) -> Option<[u8; SIGNATURE_BYTES]> {
    // Looked at before it is decoded, which wants room for a whole number of groups.
    if signature.len() != SIGNATURE_CHARS {
        return None;
    }
    URL_SAFE_NO_PAD.decode(signature).ok()?.try_into().ok()
}
