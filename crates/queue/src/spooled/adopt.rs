//! Spools that ended instances left: taken over, drained, removed. One with messages that the broker refuses stays, and is tried
//! again with the next look; it holds up no other.

use std::path::Path;
use std::sync::Arc;

use tracing::{info, warn};

use super::backoff::Backoff;
use super::drain::{Drain, Left, PAUSE_FIRST, PAUSE_MOST};
use super::{Core, folder};
use crate::embedded::OpenError;

/// Looks for them now and then, until the stop token.
pub(super) async fn run(core: Arc<Core>) {
    loop {
        for left in folder::left_behind(&core.settings.folder) {
            if left != core.folder && !adopt(&core, &left).await {
                return;
            }
        }
        tokio::select! {
            () = core.stop.cancelled() => return,
            () = tokio::time::sleep(core.settings.adopt_every) => {}
        }
    }
}

/// Drains the spool in `left`, if nobody uses it; `false` when the stop token came first.
async fn adopt(core: &Core, left: &Path) -> bool {
    let (settings, folder) = (core.settings.clone(), left.to_owned());
    // Reads through what is in it.
    let opened = tokio::task::spawn_blocking(move || folder::open(&settings, &folder)).await;
    let Ok(opened) = opened else { return false };
    let spool = match opened {
        Ok(spool) => spool,
        Err(OpenError::Locked(_)) => return true,
        Err(error) => {
            warn!(%error, "a spool cannot be adopted; what is in it is not delivered");
            return true;
        }
    };
    info!(folder = %left.display(), messages = spool.depth().messages, "a spool is adopted");
    *core.adopted() = Some(spool.clone());
    let left = Drain::of_adopted(core, &spool).until_empty(&mut Backoff::new(PAUSE_FIRST, PAUSE_MOST)).await;
    *core.adopted() = None;
    match left {
        Left::Nothing => spool.close_and_remove().await,
        Left::Refused | Left::Stopped => spool.close().await,
    }
    left != Left::Stopped
}
