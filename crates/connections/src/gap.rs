//! Changes that a webhook should have told of and none did, as far as reads show.

use events::ConnectionStatus;

use crate::announce::{issued, value_of_import};
use crate::known::Known;
use crate::observe::{Circumstances, Gap, Verdict};
use crate::read::Cause;

/// The gap that a read of a connection known before shows. Finlink sends a webhook when a first import ended, when an update
/// was made, even one that failed, and when a token was issued; one change can be several of these, and the first names it.
///
/// A webhook is late where the second look after it shows nothing new either: at the first one the API may still lag it. Of
/// what runs the second look tells nothing: the webhook may have told that it began.
pub(crate) fn gap(before: &Known, after: &Known, verdict: Verdict, circumstances: Circumstances) -> Option<Gap> {
    match verdict {
        Verdict::Unchanged => {
            (circumstances.cause == Cause::Lag && !before.status.is_running()).then_some(Gap::LateHint)
        }
        Verdict::Changed | Verdict::Revived if !circumstances.hinted => untold(&before.status, &after.status),
        Verdict::Changed
        | Verdict::Revived
        | Verdict::Stale
        | Verdict::Suspect
        | Verdict::Discovered
        | Verdict::Missing
        | Verdict::DeletionHeld
        | Verdict::Deleted
        | Verdict::Unknown => None,
    }
}

/// The gap that an announced first sight shows: an import that ended before anyone told of the connection.
pub(crate) fn at_first_sight(status: &ConnectionStatus, circumstances: Circumstances) -> Option<Gap> {
    (!circumstances.hinted && value_of_import(None, status).is_some()).then_some(Gap::Import)
}

fn untold(before: &ConnectionStatus, after: &ConnectionStatus) -> Option<Gap> {
    let update = after.last_sync > before.last_sync || after.updated_at > before.updated_at;
    let token = issued(before.update_token.as_ref(), after.update_token.as_ref()).is_some()
        || issued(before.restore_token.as_ref(), after.restore_token.as_ref()).is_some();
    if value_of_import(Some(before), after).is_some() {
        Some(Gap::Import)
    } else if update {
        Some(Gap::Update)
    } else {
        token.then_some(Gap::Token)
    }
}
