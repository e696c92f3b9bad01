//! The rate of requests and the length of waits: one permit per request of any kind, repetitions and logins included.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// The right to send one request. Not `Clone`: a repetition needs another one.
#[derive(Debug)]
pub(crate) struct Permit(());

/// Hands out permits at a steady rate, without bursts.
#[derive(Debug)]
pub(crate) struct Politeness(DefaultDirectRateLimiter);

impl Politeness {
    /// At most `per_second` permits a second (0 counts as 1).
    pub(crate) fn new(per_second: u32) -> Self {
        let rate = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        Self(RateLimiter::direct(Quota::per_second(rate).allow_burst(NonZeroU32::MIN)))
    }

    /// Waits for the next permit.
    pub(crate) async fn permit(&self) -> Permit {
        self.0.until_ready().await;
        Permit(())
    }
}

/// `base`, doubled `times` times, at most `max`, and then up to a fifth more or less.
pub(crate) fn backoff(base: Duration, max: Duration, times: u32) -> Duration {
    doubled(base, max, times).mul_f64(0.8 + 0.4 * fastrand::f64())
}

/// `base`, doubled `times` times, at most `max`.
pub(crate) fn doubled(base: Duration, max: Duration, times: u32) -> Duration {
    base.saturating_mul(2_u32.saturating_pow(times)).min(max)
}
