//! A consumer's place: waits for enough, takes a range of rows, hands it out, and settles it.

use std::sync::Arc;

use async_trait::async_trait;
use sqlite::Survives;
use tokio::time::{Instant, sleep_until};
use tracing::error;

use super::books::Available;
use super::claim::{self, Claim};
use super::engine::Engine;
use super::failpoint::{Failpoint, reached};
use super::read::{ReadLimits, StoredMessage};
use super::removal::Rows;
use crate::batch::{Settle, Source};
use crate::{Batch, BatchLimits, Delivery, QueueState, Stale};

pub(super) struct EmbeddedSource {
    engine: Arc<Engine>,
}

impl EmbeddedSource {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// Waits until a batch is worth taking; `false` when the queue has ended.
    async fn wait(&self, limits: &BatchLimits) -> bool {
        let shared = &self.engine.shared;
        let mut lingers_until = None;
        loop {
            // Registered before looking, so that nothing that arrives in between goes unnoticed.
            let arrival = shared.arrivals.notified();
            tokio::pin!(arrival);
            arrival.as_mut().enable();
            if shared.health.has_ended() {
                return false;
            }
            match shared.available(limits) {
                Available::Enough => return true,
                Available::Nothing => {
                    lingers_until = None;
                    arrival.await;
                }
                Available::Some => {
                    let until = *lingers_until.get_or_insert_with(|| Instant::now() + limits.linger);
                    tokio::select! {
                        () = arrival => {}
                        () = sleep_until(until) => return true,
                    }
                }
            }
        }
    }

    /// Takes what there is, or `None` if another subscription was faster. Cancelled half-way, it leaves everything as it
    /// was, or the claim drops and gives everything back.
    async fn take(&self, limits: &BatchLimits) -> Result<Option<Batch>, String> {
        let shared = &self.engine.shared;
        let _claiming = self.engine.claiming.lock().await;
        let Some(next) = shared.next() else { return Ok(None) };
        let read = ReadLimits { count_max: limits.count_max, bytes_max: limits.bytes_max };
        let rows = self.engine.rows(next.range, read).await.map_err(|error| error.to_string())?;
        reached(Failpoint::ReadNotClaimed);
        let Some(last) = rows.last() else {
            shared.took(next, next.range.last, 0, 0);
            return Ok(None);
        };
        let through = last.id;
        let bytes = rows.iter().map(|row| row.size).sum();
        let mut claim = Claim::take(shared, next, through, rows.len() as u64, bytes);
        let journal = move |connection: &_| claim::journal(connection, next, through);
        // It counts what ends this process, not what ends the machine.
        self.engine.write_surviving(Survives::ProcessEnd, journal).await.map_err(|error| error.to_string())?;
        reached(Failpoint::ClaimedNotHandedOut);
        claim.handed_out();
        let deliveries = rows.iter().map(|row| delivery(row, next.attempts)).collect();
        let settle = EmbeddedSettle { engine: self.engine.clone(), claim };
        Ok(Some(Batch::new(deliveries, Box::new(settle))))
    }
}

fn delivery(row: &StoredMessage, attempts: u32) -> Delivery {
    Delivery { content: row.content(), earlier_attempts: row.attempts.saturating_add(attempts) }
}

#[async_trait]
impl Source for EmbeddedSource {
    async fn next_batch(&mut self, limits: &BatchLimits) -> Option<Batch> {
        while self.wait(limits).await {
            match self.take(limits).await {
                Ok(Some(batch)) => return Some(batch),
                Ok(None) => {}
                Err(reason) => {
                    error!(error = %reason, "no batch could be taken from the queue; waiting until its file can be written");
                    self.engine.shared.health.fails(&reason);
                    let works =
                        |state: &QueueState| *state == QueueState::Ready || self.engine.shared.health.has_ended();
                    self.engine.state().wait_for(works).await.ok();
                }
            }
        }
        None
    }
}

struct EmbeddedSettle {
    engine: Arc<Engine>,
    claim: Claim,
}

#[async_trait]
impl Settle for EmbeddedSettle {
    async fn ack(self: Box<Self>) -> Result<(), Stale> {
        self.engine.remove(Rows::Claimed(self.claim)).await.map_err(Stale)
    }

    fn give_back(self: Box<Self>) {
        // The claim gives its rows back as it drops.
        drop(self);
    }
}
