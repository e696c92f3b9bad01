//! Whether writing works: every write says so, and while it does not, a probe finds out when it does again.

use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlite::rusqlite::{self, Connection};
use tokio::sync::watch;
use tracing::{info, warn};

use super::engine::Engine;
use crate::QueueState;

/// While writing fails, so often is it tried.
const PROBE_EVERY: Duration = Duration::from_millis(500);

/// The state, as the engine's own writes see it.
pub(crate) struct Health {
    state: watch::Sender<QueueState>,
    ended: AtomicBool,
}

impl Health {
    pub(super) fn new() -> Self {
        Self { state: watch::Sender::new(QueueState::Ready), ended: AtomicBool::new(false) }
    }

    pub(super) fn state(&self) -> watch::Receiver<QueueState> {
        self.state.subscribe()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Something was written.
    pub(super) fn works(&self) {
        // Looked at first, since this is said once for each write and nearly never changes anything.
        if *self.state.borrow() != QueueState::Ready && self.change(QueueState::Ready) {
            info!("the queue's file can be written again");
        }
    }

    /// Something could not be written.
    pub(super) fn fails(&self, reason: &str) {
        if self.change(QueueState::Down(reason.to_owned())) {
            warn!(error = reason, "the queue's file cannot be written");
        }
    }

    /// The queue was closed, which is for good.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.state.send_replace(QueueState::Down("closed".to_owned()));
    }

    /// Says whether that was news. The first reason for being down stays.
    fn change(&self, to: QueueState) -> bool {
        self.state.send_if_modified(|state| {
            let news = !self.has_ended() && std::mem::discriminant(state) != std::mem::discriminant(&to);
            if news {
                *state = to;
            }
            news
        })
    }
}

/// Tries to write for as long as writing fails, so that it is known to work again even when nobody else tries. Ends with
/// the engine.
pub(super) async fn probe(engine: Weak<Engine>, mut state: watch::Receiver<QueueState>) {
    while state.wait_for(|state| matches!(state, QueueState::Down(_))).await.is_ok() {
        tokio::time::sleep(PROBE_EVERY).await;
        let Some(engine) = engine.upgrade() else { return };
        if engine.shared.health.has_ended() {
            return;
        }
        engine.write(count_up).await.ok();
    }
}

fn count_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("UPDATE probe SET count = count + 1", []).map(drop)
}
