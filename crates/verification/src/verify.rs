//! The verification itself: shape, header, key, signature, claims, in this order.

use events::{AppName, BodyHash, UtcMicros};

use crate::{KeySet, Outcome, Refusal, Rules, Verified, claims, token};

/// Decides what the JWT `jwt`, sent with a body of the hash `body` to `app`, is worth at the time `now`.
///
/// `now` is when the webhook was received, also where it is decided later: a token does not age while it waits here.
pub fn verify(jwt: &str, body: &BodyHash, app: &AppName, keys: &KeySet, rules: &Rules, now: UtcMicros) -> Outcome {
    let token = match token::take_apart(jwt) {
        Ok(token) => token,
        Err(refusal) => return Outcome::Refused(refusal),
    };
    let Some(key) = keys.get(app, token.kid) else { return Outcome::UnknownKey(token.kid) };
    // The algorithm is the key's, never what the header says.
    if key.verify_sig(token.message.as_bytes(), &token.signature).is_err() {
        return Outcome::Refused(Refusal::Signature);
    }
    match claims::check(token.claims, body, rules, now) {
        Ok(binds_body) => Outcome::Verified(Verified { kid: token.kid, binds_body }),
        Err(refusal) => Outcome::Refused(refusal),
    }
}
