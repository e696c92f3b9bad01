//! How long a session lives, as far as its token says. The token is not verified: it is not ours to judge, only to use.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

#[derive(Deserialize)]
struct Claims {
    iat: Option<f64>,
    exp: f64,
}

/// The life that the token claims, from `iat` to `exp`: both are Finlink's clock, so ours may differ from it. `None` where
/// it is no JWT or does not say.
pub(crate) fn claimed_life(token: &str) -> Option<Duration> {
    let payload = token.split('.').nth(1)?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let life = Duration::try_from_secs_f64(claims.exp - claims.iat?).ok()?;
    (!life.is_zero()).then_some(life)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_read_from_iat_to_exp() {
        // {"iat":1700000000,"exp":1700003600}
        let token = "e30.eyJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMH0.c2ln";
        assert_eq!(claimed_life(token), Some(Duration::from_hours(1)));
    }

    #[test]
    fn what_does_not_say_is_not_guessed() {
        // {"exp":1700003600}; {"iat":2,"exp":1}; garbage.
        for token in
            ["e30.eyJleHAiOjE3MDAwMDM2MDB9.x", "e30.eyJpYXQiOjIsImV4cCI6MX0.x", "opaque", "a.!!.c", "", "a.e30.c"]
        {
            assert_eq!(claimed_life(token), None, "{token}");
        }
    }
}
