//! What the claims of a verified token must hold. Those that are absent, or null, are not demanded.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use events::{BodyHash, UtcMicros};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use crate::{Refusal, Rules};

/// Checks the claims; says whether one of them binds `body`.
pub(crate) fn check(encoded: &str, body: &BodyHash, rules: &Rules, now: UtcMicros) -> Result<bool, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| Refusal::Claims)?;
    let claims: Map<String, Value> = serde_json::from_slice(&bytes).map_err(|_| Refusal::Claims)?;
    let mut binds_body = false;
    for name in &rules.hash_claims {
        match claims.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::String(hash)) if is_hash_of(hash, body) => binds_body = true,
            Some(Value::String(_)) => return Err(Refusal::BodyHash),
            Some(_) => return Err(Refusal::Claims),
        }
    }
    // Last: a refusal for the time says that nothing else is wrong.
    times(&claims, rules, now)?;
    Ok(binds_body)
}

fn times(claims: &Map<String, Value>, rules: &Rules, now: UtcMicros) -> Result<(), Refusal> {
    let oldest = now.minus(rules.age_max).minus(rules.clock_tolerance);
    let newest = now.plus(rules.clock_tolerance);
    let issued = date(claims, "iat")?;
    if issued.is_some_and(|issued| issued < oldest) {
        return Err(Refusal::TooOld);
    }
    if date(claims, "exp")?.is_some_and(|expires| expires < oldest) {
        return Err(Refusal::Expired);
    }
    if issued.is_some_and(|issued| issued > newest) || date(claims, "nbf")?.is_some_and(|start| start > newest) {
        return Err(Refusal::NotYet);
    }
    Ok(())
}

/// A `NumericDate`: seconds since the epoch, a fraction allowed.
fn date(claims: &Map<String, Value>, name: &str) -> Result<Option<UtcMicros>, Refusal> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        // A float that does not fit becomes the nearest that does: the beginning or the end of time.
        Some(Value::Number(seconds)) => Ok(seconds.as_f64().map(|seconds| UtcMicros((seconds * 1e6) as i64))),
        Some(_) => Err(Refusal::Claims),
    }
}

/// Lower-case hex only. The length tells nothing, the digits are compared in constant time.
fn is_hash_of(claim: &str, body: &BodyHash) -> bool {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut expected = [0_u8; 64];
    for (pair, byte) in expected.chunks_exact_mut(2).zip(body.0) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    claim.len() == expected.len() && bool::from(claim.as_bytes().ct_eq(&expected))
}
