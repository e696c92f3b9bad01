//! Purging what is older than [`Retention`] says, in rounds: one short transaction a turn, after its reads.
//!
//! Promises: only the holder of an app's lease purges for it (the store checks it), by the store's clock. A purge that fails stops
//! no read: it is told, the round goes on with what comes after, and the next one tries again. Not here: what may go, which is
//! the store's.

use events::{Receipt, UtcMicros};
use store::{Cursor, StoreError};

use crate::lease::Turn;
use crate::reconciler::{Shared, is_due};
use crate::{Reconciler, Retention};

/// Deliveries, or events, of one transaction.
const ROWS_PER_TRANSACTION_MAX: usize = 500;

/// Where a round is.
#[derive(Debug, Clone, Copy)]
enum Place {
    Deliveries(Option<Receipt>),
    Events(Cursor),
}

/// What a round did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    deliveries: u64,
    bodies: u64,
    events: u64,
}

/// A round under way.
#[derive(Debug)]
struct Round {
    place: Place,
    /// Its beginning, from which ages are counted to its end.
    now: UtcMicros,
    sums: Sums,
}

/// Rounds of one app.
#[derive(Debug)]
pub(crate) struct Purging {
    retention: Retention,
    begun_at: Option<UtcMicros>,
    round: Option<Round>,
}

impl Purging {
    pub(crate) fn new(retention: Retention) -> Self {
        Self { retention, begun_at: None, round: None }
    }

    /// The round under way, or a new one where that is due.
    fn round(&mut self, now: UtcMicros) -> Option<Round> {
        let Retention { deliveries, events, purge_every } = &self.retention;
        let keeps_all = deliveries.is_none() && events.is_none();
        if self.round.is_none() && !keeps_all && is_due(self.begun_at, *purge_every, now) {
            self.begun_at = Some(now);
            self.round = Some(Round { place: Place::Deliveries(None), now, sums: Sums::default() });
        }
        self.round.take()
    }
}

impl Reconciler {
    /// Goes on with a round by one transaction, or begins one where that is due.
    pub(crate) async fn purge(&mut self, turn: &Turn) -> Result<(), StoreError> {
        let Some(mut round) = self.purging.round(turn.clock.now()) else { return Ok(()) };
        match purge_some(&self.shared, &self.purging.retention, turn, &mut round).await {
            Ok(Some(place)) => {
                self.purging.round = Some(Round { place, ..round });
                return Ok(());
            }
            Ok(None) => {}
            Err(StoreError::Fenced(app)) => return Err(StoreError::Fenced(app)),
            Err(error) => {
                tracing::warn!(app = %turn.lease.app, %error, "what is old could not be purged: the next round tries again");
                if let Place::Deliveries(_) = round.place {
                    self.purging.round = Some(Round { place: Place::Events(Cursor(0)), ..round });
                    return Ok(());
                }
            }
        }
        let Sums { deliveries, bodies, events } = round.sums;
        if round.sums != Sums::default() {
            tracing::info!(app = %turn.lease.app, deliveries, bodies, events, "purged what retention does not keep");
        }
        Ok(())
    }
}

/// One transaction; answers where to go on, `None` at the end.
async fn purge_some(
    shared: &Shared,
    retention: &Retention,
    turn: &Turn,
    round: &mut Round,
) -> Result<Option<Place>, StoreError> {
    let Shared { refresh, metrics, .. } = shared;
    let Round { place, now, sums } = round;
    let from = match *place {
        Place::Deliveries(from) => match retention.deliveries {
            Some(kept) => {
                let limit = ROWS_PER_TRANSACTION_MAX;
                let purged = refresh.purge_deliveries(&turn.lease, now.minus(kept), from, limit).await?;
                sums.deliveries += purged.deliveries;
                sums.bodies += purged.bodies;
                metrics.purged("deliveries", purged.deliveries);
                metrics.purged("bodies", purged.bodies);
                let next = purged.next.map(|next| Place::Deliveries(Some(next)));
                return Ok(next.or(Some(Place::Events(Cursor(0)))));
            }
            None => Cursor(0),
        },
        Place::Events(from) => from,
    };
    let Some(kept) = retention.events else { return Ok(None) };
    let purged = refresh.purge_events(&turn.lease, now.minus(kept), from, ROWS_PER_TRANSACTION_MAX).await?;
    sums.events += purged.events;
    metrics.purged("events", purged.events);
    Ok(purged.next.map(Place::Events))
}
