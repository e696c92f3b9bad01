//! What the broker set aside, into the store: a message delivered too often, or rejected, becomes a dead letter.
//!
//! Promises: a message is acknowledged only when it is buried. Burying the same receipt twice keeps one letter.

use std::sync::Arc;

use events::UtcMicros;
use queue::{Batch, Subscription};
use store::{DeadLetter, DeadLetterReason, Intake, StoreError};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::consumer::Error;
use crate::envelope::letter;
use crate::isolation::app_of;
use crate::patience::backoff;
use crate::{Metrics, Settings};

/// Why a message was set aside, for a person.
const DETAIL: &str = "the broker set it aside: it was delivered too often without being recorded, or rejected";

/// Reads the queue of what was set aside.
pub struct DeadLetters {
    subscription: Subscription,
    intake: Arc<dyn Intake>,
    settings: Settings,
    metrics: Metrics,
}

impl DeadLetters {
    /// A reader of `subscription`.
    pub fn new(subscription: Subscription, intake: Arc<dyn Intake>, settings: Settings, metrics: Metrics) -> Self {
        Self { subscription, intake, settings, metrics }
    }

    /// Buries until `stop`, or until the queue or the store ends it.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), Error> {
        let limits = self.settings.limits();
        loop {
            let batch = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                batch = self.subscription.next_batch(&limits) => batch,
            };
            let Some(batch) = batch else { return Ok(()) };
            tokio::select! {
                // Dropped, the batch is delivered again.
                () = stop.cancelled() => return Ok(()),
                buried = self.bury(batch) => buried?,
            }
        }
    }

    /// Buries a batch, however long the store is away.
    async fn bury(&mut self, batch: Batch) -> Result<(), Error> {
        let now = UtcMicros::now();
        let letters: Vec<DeadLetter> = batch
            .deliveries()
            .iter()
            .map(|delivery| letter(&delivery.content, DeadLetterReason::Attempts, DETAIL, now))
            .collect();
        let mut tries = 0;
        while let Err(problem) = self.intake.bury(&letters).await {
            if let StoreError::Incompatible(_) | StoreError::Fenced(_) = problem {
                error!(error = %problem, "what the broker set aside cannot be kept");
                return Err(Error::Unfit(problem.to_string()));
            }
            if tries == 0 {
                warn!(error = %problem, "the store is away: what the broker set aside waits");
            }
            tokio::time::sleep(backoff(&self.settings, tries)).await;
            tries += 1;
        }
        for delivery in batch.deliveries() {
            self.metrics.of(app_of(&delivery.content)).dead.inc();
        }
        if let Err(stale) = batch.ack().await {
            // They come again and change nothing: a receipt is buried once.
            warn!(error = %stale, "dead letters will be delivered again");
        }
        Ok(())
    }
}
