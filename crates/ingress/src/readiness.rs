//! Whether balancers should send webhooks here.

use queue::{Publisher, QueueState};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Ready means: a webhook that comes now can be kept somewhere, and we are not about to stop.
#[derive(Debug, Clone)]
pub struct Readiness {
    queue: watch::Receiver<QueueState>,
    stop: CancellationToken,
}

/// The readiness of a receiver that publishes through `publisher` and is stopped by `stop`. Does not keep the queue alive.
pub fn readiness(publisher: &Publisher, stop: CancellationToken) -> Readiness {
    Readiness { queue: publisher.state(), stop }
}

impl Readiness {
    /// `Err` says in a word or a sentence why not.
    pub fn check(&self) -> Result<(), String> {
        if self.stop.is_cancelled() {
            return Err("stopping".to_owned());
        }
        if self.queue.has_changed().is_err() {
            return Err("the queue has ended".to_owned());
        }
        match &*self.queue.borrow() {
            QueueState::Ready | QueueState::Degraded(_) => Ok(()),
            QueueState::Starting => Err("the queue is starting".to_owned()),
            QueueState::Down(why) => Err(format!("nothing can be kept: {why}")),
        }
    }
}
