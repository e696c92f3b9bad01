//! Whose turn it is to relay (R7): one process at a time, by a lease in the store that ends by the store's clock.
//!
//! Promises: who holds the turn prolongs it in time, and says so to the store with each move of the place, so that one that
//! lost it moves nothing. Not here: what is done in a turn (`relay.rs`).

use std::sync::Arc;
use std::time::Duration;

use events::UtcMicros;
use prometheus::IntGauge;
use store::{Cursor, Feed, Inspect, RelayLease, SharedClock, StoreError};
use tracing::warn;
use uuid::Uuid;

/// The place's name in the store.
const TARGET: &str = "amqp";

/// What one process knows of its turn.
pub(crate) struct RelayTurn {
    feed: Arc<dyn Feed>,
    inspect: Arc<dyn Inspect>,
    clock: SharedClock,
    holder: Uuid,
    lasts: Duration,
    lease: Option<RelayLease>,
    active: IntGauge,
}

impl RelayTurn {
    /// No turn yet. One `lasts` so long without being prolonged; `inspect` is asked for the store's time.
    pub(crate) fn new(feed: Arc<dyn Feed>, inspect: Arc<dyn Inspect>, lasts: Duration, active: IntGauge) -> Self {
        Self { feed, inspect, clock: SharedClock::default(), holder: Uuid::now_v7(), lasts, lease: None, active }
    }

    /// Takes the turn, or prolongs it where a third of it has passed; where to go on from, or `None`: another has it.
    pub(crate) async fn take(&mut self) -> Result<Option<Cursor>, StoreError> {
        let now = self.now().await;
        if let Some(lease) = &self.lease
            && lease.expires_at.since(now) > self.lasts * 2 / 3
        {
            return Ok(Some(lease.reached));
        }
        let held = self.feed.lease_relay(TARGET, self.holder, now, now.plus(self.lasts)).await;
        if held.is_err() && self.lease.as_ref().is_some_and(|lease| lease.expires_at <= now) {
            // It may be another's by now.
            self.hold(None);
        }
        Ok(self.hold(held?))
    }

    /// Whether it is this process' turn, as far as it knows.
    pub(crate) fn is_held(&self) -> bool {
        self.lease.is_some()
    }

    /// How often to [`take`](Self::take) while something is under way.
    pub(crate) fn renew_every(&self) -> Duration {
        self.lasts / 3
    }

    /// Moves the place on; false where the turn is lost.
    pub(crate) async fn reached(&mut self, reached: Cursor) -> Result<bool, StoreError> {
        let Some(lease) = &mut self.lease else { return Ok(false) };
        if self.feed.relayed(lease, reached).await? {
            lease.reached = reached;
            return Ok(true);
        }
        self.hold(None);
        Ok(false)
    }

    /// Gives the turn back, so that others need not wait for its end.
    pub(crate) async fn give_back(&mut self) {
        let Some(lease) = self.lease.take() else { return };
        self.active.set(0);
        if let Err(error) = self.feed.release_relay(&lease).await {
            warn!(%error, "the turn to relay events could not be given back: it ends by itself");
        }
    }

    /// The time by the store's clock.
    pub(crate) async fn now(&mut self) -> UtcMicros {
        self.clock.now(self.inspect.time()).await
    }

    fn hold(&mut self, lease: Option<RelayLease>) -> Option<Cursor> {
        self.active.set(i64::from(lease.is_some()));
        self.lease = lease;
        self.lease.as_ref().map(|lease| lease.reached)
    }
}
