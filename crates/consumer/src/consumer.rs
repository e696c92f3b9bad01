//! The loop: takes batches, has each stored in a task of its own, acknowledges them in the order in which they were taken.
//!
//! While one batch is committed the next is read and its bodies parsed. A batch's messages are owned by its task until it is
//! settled here; whatever goes wrong, dropping it gives them back to the queue.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use events::{TokenFields, UtcMicros};
use futures_util::FutureExt;
use queue::{Batch, Subscription};
use store::{Intake, StoreError};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::isolation::{Storing, Taken, Tally, app_of};
use crate::patience::{Leave, Patience, backoff};
use crate::sorting::sort;
use crate::taking::Taker;
use crate::{Metrics, Settings};

/// Queue in, store out. See [`Consumer::run`].
pub struct Consumer {
    taker: Taker,
    worker: Arc<Worker>,
    /// Oldest first.
    in_flight: VecDeque<JoinHandle<Finished>>,
    held_batches: watch::Receiver<usize>,
    /// A batch was given back: so many probes failed since. Nothing is taken until one succeeds.
    away: Option<u32>,
    queue_ended: bool,
    stop: CancellationToken,
}

/// What every batch's task needs.
struct Worker {
    intake: Arc<dyn Intake>,
    settings: Settings,
    fields: TokenFields,
    metrics: Metrics,
    held_batches: watch::Sender<usize>,
}

struct Finished {
    batch: Batch,
    taken: Taken,
    outcome: Result<Tally, Leave>,
}

/// What one step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A batch of so many messages was taken.
    Taken(usize),
    /// The oldest batch in flight was stored and acknowledged; where the acknowledgement came too late its messages come again.
    Stored(Tally),
    /// The oldest batch in flight, of so many messages, was given back; nothing is taken until the store answers a probe.
    GivenBack(usize),
    /// The store was asked whether it is there.
    Probed {
        /// It is.
        writable: bool,
    },
    /// The queue has ended and nothing is in flight.
    Ended,
    /// The consumer was told to stop; batches may still be in flight.
    Stopping,
    /// It cannot go on.
    Failed(Error),
}

/// Why a consumer ended by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The store is not one that this program can work with; a person has to act.
    #[error("the consumer stops, its messages stay in the queue: {0}")]
    Unfit(String),
    /// The queue failed in a way that it should not.
    #[error("the consumer stops: no batch can be taken from the queue: {0}")]
    Queue(String),
}

impl Consumer {
    /// A consumer of one subscription.
    pub fn new(subscription: Subscription, intake: Arc<dyn Intake>, settings: Settings, metrics: Metrics) -> Self {
        let (sender, held_batches) = watch::channel(0);
        let fields = TokenFields(settings.token_fields.clone());
        Self {
            taker: Taker::new(subscription, settings.limits()),
            worker: Arc::new(Worker { intake, settings, fields, metrics, held_batches: sender }),
            in_flight: VecDeque::new(),
            held_batches,
            away: None,
            queue_ended: false,
            stop: CancellationToken::new(),
        }
    }

    /// Works until `stop`, or until the queue has ended, and then to the end of what is in flight: every batch is either
    /// acknowledged or given back when this returns.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), Error> {
        self.stop = stop.child_token();
        loop {
            let end = match self.step().await {
                Step::Ended | Step::Stopping => Ok(()),
                Step::Failed(error) => Err(error),
                Step::Taken(_) | Step::Stored(_) | Step::GivenBack(_) | Step::Probed { .. } => continue,
            };
            let drained = self.drain().await;
            let end = end.and(drained);
            match &end {
                Ok(()) => info!("the consumer has stopped"),
                Err(error) => error!(error = %error, "the consumer has failed"),
            }
            return end;
        }
    }

    /// Waits for the next thing to do and does it. Not cancel safe: an acknowledgement may be under way.
    pub async fn step(&mut self) -> Step {
        loop {
            let held = *self.held_batches.borrow_and_update();
            self.worker.metrics.holding.set(held as i64);
            let take = held == 0 && self.has_room();
            if !take {
                // One that had been taken by then is stored like any other.
                match self.taker.pause().await {
                    Ok(None) => {}
                    Ok(Some(batch)) => return self.take(batch),
                    Err(lost) => return Step::Failed(Error::Queue(lost.to_string())),
                }
            }
            if self.in_flight.is_empty() {
                if self.queue_ended {
                    return Step::Ended;
                }
                if let Some(failures) = self.away {
                    return self.probe(failures).await;
                }
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Step::Stopping,
                finished = oldest(&mut self.in_flight) => return self.settle(finished).await,
                // Whether another batch may be taken is to be judged anew.
                _ = self.held_batches.changed() => {}
                next = self.taker.next(), if take => match next {
                    Ok(Some(batch)) => return self.take(batch),
                    Ok(None) => self.queue_ended = true,
                    Err(lost) => return Step::Failed(Error::Queue(lost.to_string())),
                },
            }
        }
    }

    /// Whether another batch may be taken, unless one is held.
    fn has_room(&self) -> bool {
        let room = self.in_flight.len() < self.worker.settings.batches_in_flight_max.max(1);
        room && self.away.is_none() && !self.queue_ended
    }

    fn take(&mut self, batch: Batch) -> Step {
        let taken = Taken { at: UtcMicros::now(), instant: Instant::now() };
        let messages = batch.deliveries().len();
        self.worker.metrics.batch_size.observe(messages as f64);
        let storing = self.worker.clone().store(batch, taken, self.stop.clone());
        self.in_flight.push_back(tokio::spawn(storing));
        Step::Taken(messages)
    }

    async fn settle(&mut self, finished: Result<Finished, JoinError>) -> Step {
        self.in_flight.pop_front();
        let Finished { batch, taken, outcome } = match finished {
            Ok(finished) => finished,
            Err(panic) => {
                // The batch went back to the queue as the task unwound. The probe keeps this from becoming a tight loop.
                error!(error = %panic, "storing a batch panicked: it is delivered again");
                self.away = Some(0);
                return Step::GivenBack(0);
            }
        };
        let messages = batch.deliveries().len();
        let leave = match outcome {
            Ok(tally) => {
                if self.has_room() && *self.held_batches.borrow() == 0 && !self.stop.is_cancelled() {
                    self.taker.start();
                }
                if let Err(stale) = batch.ack().await {
                    self.worker.metrics.stale.inc();
                    warn!(error = %stale, messages, "stored, but delivered again; that is harmless");
                }
                debug!(messages, duration_ms = taken.instant.elapsed().as_millis(), "batch stored");
                return Step::Stored(tally);
            }
            Err(leave) => leave,
        };
        for delivery in batch.deliveries() {
            self.worker.metrics.of(app_of(&delivery.content)).given_back.inc();
        }
        drop(batch);
        self.away = Some(0);
        match leave {
            Leave::Unfit(why) => return Step::Failed(Error::Unfit(why)),
            Leave::Stopping => info!(messages, "stopping while the store is away: a batch was given back"),
            Leave::HeldTooLong => {
                error!(messages, "the store stays away: a batch was given back, none is taken until it answers");
            }
        }
        Step::GivenBack(messages)
    }

    async fn probe(&mut self, failures: u32) -> Step {
        tokio::select! {
            () = self.stop.cancelled() => return Step::Stopping,
            () = tokio::time::sleep(backoff(&self.worker.settings, failures)) => {}
        }
        let answer = AssertUnwindSafe(self.worker.intake.probe()).catch_unwind().await;
        match answer {
            Ok(Ok(())) => {
                info!("the store answers: taking batches");
                self.away = None;
                Step::Probed { writable: true }
            }
            Ok(Err(unfit @ (StoreError::Incompatible(_) | StoreError::Fenced(_)))) => {
                Step::Failed(Error::Unfit(unfit.to_string()))
            }
            Ok(Err(StoreError::Unavailable(_) | StoreError::Obstructed(_) | StoreError::Culprit(..))) | Err(_) => {
                self.away = Some(failures.saturating_add(1));
                Step::Probed { writable: false }
            }
        }
    }

    /// Settles everything in flight; a batch that is held is given back at once.
    async fn drain(&mut self) -> Result<(), Error> {
        self.stop.cancel();
        // Whatever was taken just now goes back as it drops; a loss of the taker has been told already, or matters no more.
        drop(self.taker.pause().await);
        let mut end = Ok(());
        while !self.in_flight.is_empty() {
            let finished = oldest(&mut self.in_flight).await;
            if let Step::Failed(error) = self.settle(finished).await {
                end = Err(error);
            }
        }
        end
    }
}

/// Waits for the oldest batch in flight, for ever where there is none. Cancel safe.
async fn oldest(in_flight: &mut VecDeque<JoinHandle<Finished>>) -> Result<Finished, JoinError> {
    match in_flight.front_mut() {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}

impl Worker {
    async fn store(self: Arc<Self>, batch: Batch, taken: Taken, stop: CancellationToken) -> Finished {
        let sorted = sort(batch.deliveries(), self.settings.delivery_limit, &self.fields, taken.at);
        let patience = Patience::new(&self.settings, &self.held_batches, &stop);
        let outcome =
            Storing::new(self.intake.as_ref(), &self.metrics, patience, taken).all(sorted, &self.fields).await;
        Finished { batch, taken, outcome }
    }
}
