//! The right to talk to Finlink for an app (R5): taken, renewed at a third of its time, and noticed when lost, also in the
//! middle of a long read.

use std::time::Duration;

use events::UtcMicros;
use store::{Lease, StoreError};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Reconciler;
use crate::clock::Clock;
use crate::finlink::Patience;
use crate::reconciler::Shared;

/// A shorter pause between two renewals would be a busy loop.
const RENEWAL_PAUSE_MIN: Duration = Duration::from_millis(10);

/// What one turn of work may rely on: the right to talk, the time, and when to stop.
pub(crate) struct Turn {
    pub(crate) lease: Lease,
    pub(crate) clock: Clock,
    pub(crate) patience: Patience,
}

impl Turn {
    pub(crate) fn new(lease: Lease, clock: Clock, stop: &CancellationToken, retries: u32) -> Self {
        Self { lease, clock, patience: Patience { stop: stop.child_token(), retries } }
    }
}

impl Reconciler {
    /// Takes or renews the lease where that is due; `None`: another process holds it.
    pub(crate) async fn hold(&mut self, now: UtcMicros) -> Result<Option<Lease>, StoreError> {
        let shared = self.shared.clone();
        let Shared { app, refresh, settings, metrics, .. } = &*shared;
        if let Some(lease) = &self.lease
            && lease.expires_at.since(now) > settings.lease * 2 / 3
        {
            return Ok(Some(lease.clone()));
        }
        let held = refresh.lease(&app.name, self.holder, now, now.plus(settings.lease)).await?;
        metrics.is_active(held.is_some());
        match (self.lease.take(), &held) {
            (Some(before), Some(after)) if before.fence == after.fence => {}
            (_, Some(lease)) => {
                self.give_up();
                tracing::info!(app = %app.name, fence = lease.fence, "talking to Finlink for this app");
                // Whoever held it before may have logged in since: what is known of the session is in the store.
                self.sessions.forget();
            }
            (Some(_), None) => {
                self.give_up();
                tracing::warn!(app = %app.name, "standing by: another reconciler talks to Finlink now");
            }
            (None, None) => tracing::debug!(app = %app.name, "standing by: another reconciler talks to Finlink"),
        }
        self.lease.clone_from(&held);
        Ok(held)
    }

    /// The store says that another process holds the lease.
    pub(crate) fn fenced(&mut self) {
        self.give_up();
        if self.lease.take().is_some() {
            tracing::warn!(app = %self.shared.app.name, "standing by: another reconciler talks to Finlink now");
        }
        self.shared.metrics.is_active(false);
        self.sessions.forget();
    }

    /// Ends what is under way under a lease that is not held any more. Whoever takes the lease next gives its claims back.
    fn give_up(&mut self) {
        self.reading = JoinSet::new();
        self.questions.give_up();
    }

    /// Gives the lease back, so that a standby need not wait for its end.
    pub async fn leave(&mut self) {
        self.give_up();
        let Some(lease) = self.lease.take() else { return };
        self.shared.metrics.is_active(false);
        if let Err(error) = self.shared.refresh.release(&lease).await {
            tracing::warn!(app = %lease.app, %error, "the lease could not be given back: it ends by itself");
        }
    }
}

/// Does `work`, and beside it renews the lease and posts keys. Where the lease is lost, `turn.patience.stop` is cancelled.
pub(crate) async fn holding<T>(shared: &Shared, turn: &Turn, work: impl Future<Output = T>) -> T {
    let keeping = async {
        let pause = (shared.settings.lease / 3).min(shared.settings.keys_poll_every).max(RENEWAL_PAUSE_MIN);
        let mut lease = turn.lease.clone();
        while !turn.patience.stop.is_cancelled() {
            tokio::time::sleep(pause).await;
            let now = turn.clock.now();
            if shared.post_keys(now).await.is_err() {
                tracing::debug!(app = %lease.app, "keys could not be read from the store: the next poll tells again");
            }
            if !renewed(shared, &mut lease, now).await {
                turn.patience.stop.cancel();
            }
        }
        std::future::pending().await
    };
    tokio::select! {
        done = work => done,
        never = keeping => never,
    }
}

/// False where the lease is lost, or could not be renewed until its end.
async fn renewed(shared: &Shared, lease: &mut Lease, now: UtcMicros) -> bool {
    if lease.expires_at.since(now) > shared.settings.lease * 2 / 3 {
        return true;
    }
    match shared.refresh.lease(&lease.app, lease.holder, now, now.plus(shared.settings.lease)).await {
        Ok(Some(after)) if after.fence == lease.fence => {
            *lease = after;
            true
        }
        Ok(_) => false,
        Err(_) => now < lease.expires_at,
    }
}
