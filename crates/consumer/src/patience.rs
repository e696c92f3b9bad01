//! The consumer's patience with a store that is away (R9): hold, try again after a growing wait, give back in the end.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::Settings;

/// Why a batch leaves the consumer without having been stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Leave {
    /// The store was away for longer than a batch is held.
    HeldTooLong,
    /// The consumer stops and the store is away.
    Stopping,
    /// The store is not one that this program can work with; says why.
    Unfit(String),
}

/// One batch's patience. How many batches are held just now stands in the `watch`: while any is, no other is taken.
pub(crate) struct Patience<'a> {
    settings: &'a Settings,
    held_batches: &'a watch::Sender<usize>,
    stop: &'a CancellationToken,
    held: Option<Held>,
}

struct Held {
    since: Instant,
    tries: u32,
}

impl<'a> Patience<'a> {
    pub(crate) fn new(
        settings: &'a Settings,
        held_batches: &'a watch::Sender<usize>,
        stop: &'a CancellationToken,
    ) -> Self {
        Self { settings, held_batches, stop, held: None }
    }

    /// The store is away: waits before the next try, or says that the batch leaves.
    pub(crate) async fn wait(&mut self, why: &str) -> Result<(), Leave> {
        let held = self.held.get_or_insert_with(|| {
            warn!(error = why, "the store is away: holding a batch, taking no other");
            self.held_batches.send_modify(|held| *held += 1);
            Held { since: Instant::now(), tries: 0 }
        });
        let left = self.settings.hold_for.saturating_sub(held.since.elapsed());
        if left.is_zero() {
            return Err(Leave::HeldTooLong);
        }
        let pause = backoff(self.settings, held.tries).min(left);
        held.tries = held.tries.saturating_add(1);
        tokio::select! {
            () = self.stop.cancelled() => Err(Leave::Stopping),
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }

    /// The store has answered.
    pub(crate) fn relieve(&mut self) {
        if let Some(held) = &self.held {
            info!(duration_ms = held.since.elapsed().as_millis(), "the store is back");
            self.release();
        }
    }

    fn release(&mut self) {
        if self.held.take().is_some() {
            self.held_batches.send_modify(|held| *held -= 1);
        }
    }
}

impl Drop for Patience<'_> {
    fn drop(&mut self) {
        self.release();
    }
}

/// The wait before try number `tries` (from 0), with jitter: between half of it and all of it.
pub(crate) fn backoff(settings: &Settings, tries: u32) -> Duration {
    let whole = settings.retry_min.saturating_mul(2_u32.saturating_pow(tries)).min(settings.retry_max);
    whole.mul_f64(0.5 + fastrand::f64() / 2.0)
}
