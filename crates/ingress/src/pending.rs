//! How many webhooks of unknown keys one app may bring while somebody can be asked about those keys (R10).
//!
//! Anyone can invent a key. Each invented key costs the reconciler a question to Finlink and each webhook a place in the
//! queue, so both are bounded here; a sender that is refused comes again. While nobody can be asked, nothing is refused:
//! then it is our fault that the key is unknown.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use events::{AppName, UtcMicros};
use uuid::Uuid;
use verification::KeySet;

use crate::{Outcome, Settings};

/// One app's bounds.
pub(crate) struct PendingBounds {
    inner: Mutex<Inner>,
}

struct Inner {
    /// Unknown keys, and when each was last let in.
    keys: HashMap<Uuid, UtcMicros>,
    /// Webhooks that may come now, and when that was reckoned.
    tokens: f64,
    reckoned_at: UtcMicros,
}

impl PendingBounds {
    pub(crate) fn new(settings: &Settings) -> Self {
        let tokens = f64::from(settings.pending_burst);
        Self { inner: Mutex::new(Inner { keys: HashMap::new(), tokens, reckoned_at: UtcMicros(0) }) }
    }

    /// Lets in a webhook of `app` that is signed with `kid`, a key that is not among `known`.
    pub(crate) fn admit(
        &self,
        app: &AppName,
        kid: Uuid,
        known: &KeySet,
        settings: &Settings,
        now: UtcMicros,
    ) -> Result<(), Outcome> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if !inner.keys.contains_key(&kid) {
            let forgotten = now.minus(settings.unknown_key_forgotten_after);
            inner.keys.retain(|kid, at| *at > forgotten && !known.contains(app, *kid));
            if inner.keys.len() >= settings.unknown_keys_max {
                return Err(Outcome::UnknownKeys);
            }
        }
        inner.reckon(settings, now);
        if inner.tokens < 1.0 {
            return Err(Outcome::PendingRate);
        }
        inner.tokens -= 1.0;
        inner.keys.insert(kid, now);
        Ok(())
    }
}

impl Inner {
    fn reckon(&mut self, settings: &Settings, now: UtcMicros) {
        let passed = now.since(self.reckoned_at).as_secs_f64();
        let more = passed * f64::from(settings.pending_per_second);
        self.tokens = (self.tokens + more).min(f64::from(settings.pending_burst));
        self.reckoned_at = now;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: UtcMicros = UtcMicros(1_767_225_600_000_000);

    fn bounds() -> (PendingBounds, AppName, Settings) {
        let settings = Settings { unknown_keys_max: 2, pending_burst: 3, pending_per_second: 1, ..Settings::default() };
        (PendingBounds::new(&settings), "main".parse().unwrap(), settings)
    }

    #[test]
    fn keys_are_bounded_until_they_are_forgotten() {
        let (bounds, app, settings) = bounds();
        let admit = |kid, now| bounds.admit(&app, Uuid::from_u128(kid), &KeySet::default(), &settings, now);
        assert_eq!(admit(1, START), Ok(()));
        assert_eq!(admit(2, START), Ok(()));
        assert_eq!(admit(3, START), Err(Outcome::UnknownKeys));
        assert_eq!(admit(2, START), Ok(()), "one that is pending already takes no other place");
        assert_eq!(admit(3, START.plus(Duration::from_mins(10))), Ok(()));
    }

    #[test]
    fn a_key_that_became_known_makes_room() {
        let (bounds, app, settings) = bounds();
        let mut known = KeySet::default();
        for kid in [1, 2] {
            bounds.admit(&app, Uuid::from_u128(kid), &known, &settings, START).unwrap();
        }
        let jwk = [
            ("kty", "EC"),
            ("crv", "P-256"),
            ("x", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
            ("y", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
        ];
        let jwk = jwk.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        known.insert(&app, Uuid::from_u128(1), &serde_json::Value::Object(jwk)).unwrap();
        assert_eq!(bounds.admit(&app, Uuid::from_u128(3), &known, &settings, START), Ok(()));
    }

    #[test]
    fn webhooks_are_bounded_by_a_bucket() {
        let (bounds, app, settings) = bounds();
        let admit = |now| bounds.admit(&app, Uuid::from_u128(1), &KeySet::default(), &settings, now);
        for _ in 0..3 {
            assert_eq!(admit(START), Ok(()));
        }
        assert_eq!(admit(START), Err(Outcome::PendingRate));
        assert_eq!(admit(START.plus(Duration::from_secs(1))), Ok(()));
        assert_eq!(admit(START.plus(Duration::from_secs(1))), Err(Outcome::PendingRate));
    }
}
