//! Messages of which the broker was silent too long: they were spooled, and yet its confirmation may still come.
//!
//! Then the spooled row is removed and not sent again. Until that is known the drain passes the row over.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{RwLock, RwLockReadGuard};
use tokio::time::timeout;
use tracing::warn;

use super::Core;
use crate::PublishError;

/// So long is a confirmation still worth something; after that the row is sent again.
const LATE_FOR: Duration = Duration::from_secs(30);

/// A publish that is still under way at the broker.
pub(super) type Sending = Pin<Box<dyn Future<Output = Result<(), PublishError>> + Send>>;

/// The rows of which it is not known yet.
pub(super) struct Late {
    /// Held for reading from before a row is written until it stands in `open`, so that a reader of rows never meets one
    /// that is not there yet.
    entering: RwLock<()>,
    open: Mutex<HashSet<i64>>,
}

impl Late {
    pub(super) fn new() -> Self {
        Self { entering: RwLock::new(()), open: Mutex::new(HashSet::new()) }
    }

    /// To be held while a row is written and [`watch_for`] is called for it.
    pub(super) async fn enter(&self) -> RwLockReadGuard<'_, ()> {
        self.entering.read().await
    }

    /// Reads rows so that every one of them that waits for a late confirmation stands in the answer.
    pub(super) async fn beside<T>(&self, read: impl Future<Output = T>) -> (HashSet<i64>, T) {
        let _nobody_enters = self.entering.write().await;
        // Taken first: a confirmed row leaves the file before it leaves this set.
        let open = self.open().clone();
        (open, read.await)
    }

    fn open(&self) -> MutexGuard<'_, HashSet<i64>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for what becomes of `sending`, whose message was spooled as row `id`.
pub(super) fn watch_for(core: &Arc<Core>, id: i64, sending: Sending) {
    core.late.open().insert(id);
    let entry = Entry { core: core.clone(), id };
    // On the runtime of the publish: a broker's client may not like to be moved.
    tokio::spawn(entry.wait(sending));
}

/// Takes the row out of the set when it drops, also with a runtime that ends.
struct Entry {
    core: Arc<Core>,
    id: i64,
}

impl Entry {
    async fn wait(self, sending: Sending) {
        let confirmed = tokio::select! {
            outcome = timeout(LATE_FOR, sending) => matches!(outcome, Ok(Ok(()))),
            () = self.core.stop.cancelled() => false,
        };
        if confirmed {
            self.core.trust.restore();
            if let Err(error) = self.core.spool.remove_ids(vec![self.id]).await {
                warn!(%error, "a message that was confirmed late stays in the spool and will be sent again");
            }
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.core.late.open().remove(&self.id);
    }
}
