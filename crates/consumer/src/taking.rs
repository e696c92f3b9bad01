//! Takes the next batch in the background, so that settling one batch never interrupts, nor waits for, the taking of another.

use queue::{Batch, BatchLimits, Subscription};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// A subscription, and what is being taken from it.
pub(crate) struct Taker {
    limits: BatchLimits,
    state: State,
}

enum State {
    Idle(Subscription),
    Taking(Taking),
    /// A task was lost, by a panic in the queue.
    Lost,
}

struct Taking {
    /// Aborting it is safe: a batch half taken stays in the queue, a whole one goes back.
    task: AbortOnDropHandle<(Subscription, Took)>,
    pause: CancellationToken,
}

enum Took {
    Batch(Batch),
    Ended,
    Paused,
}

impl Taker {
    pub(crate) fn new(subscription: Subscription, limits: BatchLimits) -> Self {
        Self { limits, state: State::Idle(subscription) }
    }

    /// Puts the taking of the next batch under way, where nothing is.
    pub(crate) fn start(&mut self) {
        if let State::Idle(_) = self.state
            && let State::Idle(subscription) = std::mem::replace(&mut self.state, State::Lost)
        {
            let pause = CancellationToken::new();
            let task = tokio::spawn(take(subscription, self.limits.clone(), pause.clone()));
            self.state = State::Taking(Taking { task: AbortOnDropHandle::new(task), pause });
        }
    }

    /// The next batch; `None` when the queue has ended. Cancel safe: the taking goes on in the background.
    pub(crate) async fn next(&mut self) -> Result<Option<Batch>, JoinError> {
        loop {
            match self.begin().await? {
                Took::Batch(batch) => return Ok(Some(batch)),
                Took::Ended => return Ok(None),
                Took::Paused => {}
            }
        }
    }

    /// Stops taking. A batch that had been taken by then is handed out; the queue's end shows at the next [`Taker::next`].
    pub(crate) async fn pause(&mut self) -> Result<Option<Batch>, JoinError> {
        let State::Taking(taking) = &self.state else { return Ok(None) };
        taking.pause.cancel();
        match self.begin().await? {
            Took::Batch(batch) => Ok(Some(batch)),
            Took::Ended | Took::Paused => Ok(None),
        }
    }

    /// Waits for what is under way, and first puts it under way where nothing is.
    async fn begin(&mut self) -> Result<Took, JoinError> {
        self.start();
        let State::Taking(taking) = &mut self.state else { return Ok(Took::Ended) };
        match (&mut taking.task).await {
            Ok((subscription, took)) => {
                self.state = State::Idle(subscription);
                Ok(took)
            }
            Err(lost) => {
                self.state = State::Lost;
                Err(lost)
            }
        }
    }
}

async fn take(mut subscription: Subscription, limits: BatchLimits, pause: CancellationToken) -> (Subscription, Took) {
    let took = tokio::select! {
        biased;
        batch = subscription.next_batch(&limits) => batch.map_or(Took::Ended, Took::Batch),
        () = pause.cancelled() => Took::Paused,
    };
    (subscription, took)
}
