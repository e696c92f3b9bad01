//! What the pair of broker and spool says of itself: state, log, metrics.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use events::UtcMicros;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tracing::{error, info, warn};

use super::{Core, disk};
use crate::QueueState;
use crate::embedded::{Depth, Engine};

/// So often are the disk and the metrics looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A spool with less room than this, in bytes, counts as full.
const ROOM_BYTES_MIN: u64 = 1024;

/// Ends with the stop token.
pub(super) async fn run(core: Arc<Core>) {
    let mut primary = core.primary.state();
    let mut trust = core.trust.changes();
    let mut spool = core.spool.state();
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        if *primary.borrow_and_update() != QueueState::Ready {
            // Whatever connection comes next starts with a clean record.
            core.trust.restore();
        }
        core.judge();
        core.measure();
        tokio::select! {
            () = core.stop.cancelled() => return,
            () = change(&mut primary) => {}
            () = change(&mut trust) => {}
            () = change(&mut spool) => {}
            _ = looks.tick() => if core.spool.depth().messages == 0 {
                // With nothing to drain there is nothing that could restore the trust but the next message.
                core.trust.restore();
            },
        }
    }
}

/// Never ready once the sender has gone.
async fn change<T>(watch: &mut watch::Receiver<T>) {
    if watch.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl Core {
    /// Finds out the state and says it, in the log too where it is another kind of state than before.
    pub(super) fn judge(&self) {
        let now = self.current_state();
        if *self.state.borrow() == now {
            return;
        }
        // Whoever reads the log may ask for the state at once.
        let before = self.state.send_replace(now.clone());
        if std::mem::discriminant(&before) != std::mem::discriminant(&now) {
            match now {
                QueueState::Ready => info!("messages go to the broker"),
                QueueState::Starting => {}
                QueueState::Degraded(reason) => warn!(reason, "messages go to the spool"),
                QueueState::Down(reason) => {
                    error!(reason, "messages can be kept neither at the broker nor in the spool");
                }
            }
        }
    }

    fn current_state(&self) -> QueueState {
        let Some(primary) = self.primary_trouble() else { return QueueState::Ready };
        match self.spool_trouble() {
            None => QueueState::Degraded(primary),
            Some(spool) => QueueState::Down(format!("the broker: {primary}; the spool: {spool}")),
        }
    }

    fn primary_trouble(&self) -> Option<String> {
        match &*self.primary_state.borrow() {
            QueueState::Ready => self.trust.doubt(),
            QueueState::Starting => Some("not connected yet".to_owned()),
            QueueState::Degraded(reason) | QueueState::Down(reason) => Some(reason.clone()),
        }
    }

    fn spool_trouble(&self) -> Option<String> {
        if let QueueState::Down(reason) = &*self.spool.state().borrow() {
            return Some(reason.clone());
        }
        if self.spool.shared.room_bytes() < ROOM_BYTES_MIN {
            return Some("it is full".to_owned());
        }
        self.check_reserve().err().map(|error| error.to_string())
    }

    /// What waits in all spools that this instance holds.
    pub(super) fn depth(&self) -> Depth {
        let own = self.spool.depth();
        let Some(adopted) = self.adopted().as_ref().map(|spool| spool.depth()) else { return own };
        Depth {
            messages: own.messages + adopted.messages,
            bytes: own.bytes + adopted.bytes,
            oldest_at: own.oldest_at.into_iter().chain(adopted.oldest_at).min(),
        }
    }

    /// What this instance's own spool may still take; 0 where its disk does not answer.
    fn room_bytes(&self) -> u64 {
        let left_of_disk = disk::free_bytes(&self.folder).unwrap_or(0).saturating_sub(self.reserve_bytes());
        left_of_disk.min(self.spool.shared.room_bytes())
    }

    pub(super) fn adopted(&self) -> MutexGuard<'_, Option<Arc<Engine>>> {
        self.adopted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn measure(&self) {
        let depth = self.depth();
        let age = depth.oldest_at.map_or(Duration::ZERO, |at| UtcMicros::now().since(at));
        self.metrics.messages.set(depth.messages as i64);
        self.metrics.bytes.set(depth.bytes as i64);
        self.metrics.room_bytes.set(self.room_bytes() as i64);
        self.metrics.oldest_age.set(age.as_secs_f64());
        self.metrics.show_broker(*self.primary_state.borrow() == QueueState::Ready);
    }
}
