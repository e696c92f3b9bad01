//! How many webhooks of unknown keys one app may bring while Finlink can be asked about those keys (R10).
//!
//! Anyone can invent keys, and only Finlink can tell which ones are invented. Until it does, each of their webhooks takes room
//! in the store, so their rate is bounded; a sender that is refused comes again. There are two bounds, the one for the first
//! webhook of each key and the other for all further ones. So whoever invents keys by the thousand uses up the first bound
//! only, and a key that Finlink has changed to is past it with its second webhook at the latest: a refused one counts as
//! its first. Which key is asked for first is the reconciler's business.
//!
//! While nobody can be asked, nothing is refused: then it is our fault that the key is unknown.

use std::collections::HashSet;
use std::mem;
use std::sync::{Mutex, PoisonError};

use events::UtcMicros;
use uuid::Uuid;

use crate::{Outcome, Settings};

/// One app's bounds.
pub(crate) struct PendingBounds {
    inner: Mutex<Inner>,
}

struct Inner {
    met: Met,
    /// For keys that were not met before, and for those that were.
    first: Bucket,
    further: Bucket,
}

/// Keys met lately: all of the newer half, and as many again met before these.
#[derive(Default)]
struct Met {
    newer: HashSet<Uuid>,
    older: HashSet<Uuid>,
}

/// Webhooks that may come now, and when that was reckoned.
struct Bucket {
    tokens: f64,
    reckoned_at: UtcMicros,
}

impl PendingBounds {
    pub(crate) fn new(settings: &Settings) -> Self {
        let full = |burst| Bucket { tokens: f64::from(burst), reckoned_at: UtcMicros(0) };
        let (first, further) = (full(settings.unknown_keys_burst), full(settings.pending_burst));
        Self { inner: Mutex::new(Inner { met: Met::default(), first, further }) }
    }

    /// Lets in a webhook that is signed with `kid`, a key that nobody knows.
    pub(crate) fn admit(&self, kid: Uuid, settings: &Settings, now: UtcMicros) -> Result<(), Outcome> {
        let Inner { met, first, further } = &mut *self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (bucket, burst, per_second, refusal) = if met.again(kid, settings.unknown_keys_remembered) {
            (further, settings.pending_burst, settings.pending_per_second, Outcome::PendingRate)
        } else {
            (first, settings.unknown_keys_burst, settings.unknown_keys_per_second, Outcome::UnknownKeys)
        };
        if bucket.take(burst, per_second, now) { Ok(()) } else { Err(refusal) }
    }
}

impl Met {
    /// Whether the key was met before; from now on it was. Of `remembered` keys the half that was not met for longest goes.
    fn again(&mut self, kid: Uuid, remembered: usize) -> bool {
        let again = self.newer.contains(&kid) || self.older.contains(&kid);
        if self.newer.insert(kid) && self.newer.len() >= (remembered / 2).max(1) {
            self.older = mem::take(&mut self.newer);
        }
        again
    }
}

impl Bucket {
    fn take(&mut self, burst: u32, per_second: u32, now: UtcMicros) -> bool {
        let more = now.since(self.reckoned_at).as_secs_f64() * f64::from(per_second);
        self.tokens = (self.tokens + more).min(f64::from(burst));
        self.reckoned_at = now;
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: UtcMicros = UtcMicros(1_767_225_600_000_000);

    fn bounds() -> (PendingBounds, Settings) {
        let settings = Settings {
            unknown_keys_burst: 2,
            unknown_keys_per_second: 1,
            unknown_keys_remembered: 20,
            pending_burst: 3,
            pending_per_second: 1,
            ..Settings::default()
        };
        (PendingBounds::new(&settings), settings)
    }

    #[test]
    fn first_webhooks_of_keys_are_bounded_by_a_bucket() {
        let (bounds, settings) = bounds();
        let admit = |kid, now| bounds.admit(Uuid::from_u128(kid), &settings, now);
        assert_eq!([admit(1, START), admit(2, START)], [Ok(()); 2]);
        assert_eq!(admit(3, START), Err(Outcome::UnknownKeys));
        assert_eq!(admit(4, START.plus(Duration::from_secs(1))), Ok(()));
        assert_eq!(admit(5, START.plus(Duration::from_secs(1))), Err(Outcome::UnknownKeys));
    }

    #[test]
    fn further_webhooks_are_bounded_by_another() {
        let (bounds, settings) = bounds();
        let admit = |now| bounds.admit(Uuid::from_u128(1), &settings, now);
        for _ in 0..4 {
            assert_eq!(admit(START), Ok(()));
        }
        assert_eq!(admit(START), Err(Outcome::PendingRate));
        assert_eq!(admit(START.plus(Duration::from_secs(1))), Ok(()));
        assert_eq!(admit(START.plus(Duration::from_secs(1))), Err(Outcome::PendingRate));
    }

    #[test]
    fn invented_keys_however_many_do_not_keep_out_a_key_that_comes_again() {
        let (bounds, settings) = bounds();
        let new_key = Uuid::from_u128(0);
        let (mut now, mut refused) = (START, 0);
        for second in 0..1000 {
            for number in 0..9 {
                let _ = bounds.admit(Uuid::from_u128(1 + second * 9 + number), &settings, now);
            }
            refused += u32::from(bounds.admit(new_key, &settings, now).is_err());
            now = now.plus(Duration::from_secs(1));
        }
        assert!(refused <= 1, "{refused}");
    }
}
