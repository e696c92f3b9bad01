//! How many webhooks of unknown keys one app may bring while Finlink can be asked about those keys (R10).
//!
//! Anyone can invent keys, and only Finlink can tell which ones are invented. Until it does, each of their webhooks takes room
//! in the store, so their rate is bounded; a sender that is refused comes again. There are two bounds, the one for the first
//! webhook of each key and the other for all further ones, and of the latter a key that had its share leaves half to others.
//!
//! So whoever invents keys by the thousand uses up the first bound only, and a key that Finlink has changed to is past it with
//! its second webhook, a refused one counting as its first. That holds if the second comes before the first is forgotten: with
//! half of `unknown_keys_remembered` invented in between, it may be, with all of them it is; 32768 take 11 minutes at 50 a
//! second and half a minute at 1000. One key sent without end does not keep out others. Not promised: whoever sends
//! each of many invented keys twice uses up both bounds, and then a new key gets in by chance, until Finlink was asked about
//! it. Which key is asked for first is the reconciler's business.
//!
//! While nobody can be asked, nothing is refused: then it is our fault that the key is unknown.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::sync::{Mutex, PoisonError};

use events::UtcMicros;
use uuid::Uuid;

use crate::{Outcome, Settings};

/// One key's share of what may come of keys that were met before: burst and rate divided by this.
const SHARES: u32 = 10;

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

/// Keys met lately, by their hashes, which nobody outside can foresee, with what is left of their shares: all of the newer
/// half, and as many again met before these.
#[derive(Default)]
struct Met {
    hasher: RandomState,
    newer: HashMap<u64, Bucket>,
    older: HashMap<u64, Bucket>,
}

/// Webhooks that may come now, and when that was reckoned.
#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    reckoned_at: UtcMicros,
}

impl PendingBounds {
    pub(crate) fn new(settings: &Settings) -> Self {
        let (first, further) = (Bucket::full(settings.unknown_keys_burst), Bucket::full(settings.pending_burst));
        Self { inner: Mutex::new(Inner { met: Met::default(), first, further }) }
    }

    /// Lets in a webhook that is signed with `kid`, a key that nobody knows.
    pub(crate) fn admit(&self, kid: Uuid, settings: &Settings, now: UtcMicros) -> Result<(), Outcome> {
        let Inner { met, first, further } = &mut *self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let share_burst = (settings.pending_burst / SHARES).max(1);
        let Some(share) = met.again(kid, settings.unknown_keys_remembered, share_burst) else {
            first.refill(settings.unknown_keys_burst, f64::from(settings.unknown_keys_per_second), now);
            return if first.take(0.0) { Ok(()) } else { Err(Outcome::UnknownKeys) };
        };
        let per_second = f64::from(settings.pending_per_second);
        further.refill(settings.pending_burst, per_second, now);
        share.refill(share_burst, per_second / f64::from(SHARES), now);
        let for_others = if share.tokens < 1.0 { f64::from(settings.pending_burst / 2) } else { 0.0 };
        if further.take(for_others) {
            share.take(0.0);
            Ok(())
        } else {
            Err(Outcome::PendingRate)
        }
    }
}

impl Met {
    /// The key's share if it was met before; from now on it was. Of `remembered` keys the half that was not met for longest
    /// goes.
    fn again(&mut self, kid: Uuid, remembered: usize, share_burst: u32) -> Option<&mut Bucket> {
        let key = self.hasher.hash_one(kid);
        let earlier = self.older.get(&key).copied();
        let is_known = earlier.is_some() || self.newer.contains_key(&key);
        if !self.newer.contains_key(&key) && self.newer.len() >= (remembered / 2).max(1) {
            self.older = mem::take(&mut self.newer);
        }
        let share = self.newer.entry(key).or_insert_with(|| earlier.unwrap_or_else(|| Bucket::full(share_burst)));
        is_known.then_some(share)
    }
}

impl Bucket {
    fn full(burst: u32) -> Self {
        Self { tokens: f64::from(burst), reckoned_at: UtcMicros(0) }
    }

    fn refill(&mut self, burst: u32, per_second: f64, now: UtcMicros) {
        let more = now.since(self.reckoned_at).as_secs_f64() * per_second;
        self.tokens = (self.tokens + more).min(f64::from(burst));
        self.reckoned_at = now;
    }

    /// Takes one if that leaves so many.
    fn take(&mut self, left: f64) -> bool {
        let enough = self.tokens >= 1.0 + left;
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
            pending_burst: 4,
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
        for _ in 0..3 {
            assert_eq!(admit(START), Ok(()));
        }
        assert_eq!(admit(START), Err(Outcome::PendingRate), "the rest is for others");
        assert_eq!(admit(START.plus(Duration::from_secs(1))), Ok(()));
        assert_eq!(admit(START.plus(Duration::from_secs(1))), Err(Outcome::PendingRate));
    }

    #[test]
    fn a_key_that_comes_every_nine_minutes_is_known_again_among_sixty_invented_a_second() {
        let settings = Settings::default();
        let bounds = PendingBounds::new(&settings);
        let new_key = Uuid::from_u128(0);
        let (mut now, mut invented) = (START, 0);
        for _ in 0..5 {
            assert_eq!(bounds.admit(new_key, &settings, now), Ok(()));
            for _ in 0..9 * 60 {
                now = now.plus(Duration::from_secs(1));
                // More than the first bound lets in, so nothing is left of it.
                for _ in 0..60 {
                    invented += 1;
                    let _ = bounds.admit(Uuid::from_u128(invented), &settings, now);
                }
            }
        }
    }

    #[test]
    fn one_key_that_is_sent_without_end_does_not_keep_out_another() {
        let settings = Settings::default();
        let bounds = PendingBounds::new(&settings);
        let (hog, new_key) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (mut now, mut admitted) = (START, 0);
        for _ in 0..1000 {
            for _ in 0..200 {
                admitted += u32::from(bounds.admit(hog, &settings, now).is_ok());
            }
            assert_eq!(bounds.admit(new_key, &settings, now), Ok(()));
            now = now.plus(Duration::from_secs(1));
        }
        assert!(admitted > 45_000, "what nobody else wants is its own: {admitted}");
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
