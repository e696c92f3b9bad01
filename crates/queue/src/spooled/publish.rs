//! One message's way: the broker, else the spool, else an honest error.
//!
//! What the broker refuses for what it is, such as its size, is not spooled: it would be refused for ever, after a yes to its
//! sender.

use std::sync::Arc;

use tokio::time::timeout;

use super::late::{Sending, watch_for};
use super::{Core, disk};
use crate::{Message, PublishError, QueueState};

/// Removing messages is writing too, into SQLite's log, which grows until it can be written back. A spool that filled its disk
/// to the last byte could be emptied by nobody but a person.
const HOUSEKEEPING_BYTES: u64 = 16 * 1024 * 1024;

/// What the broker said to a message.
enum Answer {
    Confirmed,
    /// It will not be heard of any more.
    Failed(PublishError),
    /// Nothing yet.
    Silent(Sending),
}

pub(super) async fn publish(core: &Arc<Core>, message: Message) -> Result<(), PublishError> {
    if core.stop.is_cancelled() {
        return Err(PublishError::Unavailable("it is closed".to_owned()));
    }
    if !core.primary_is_trusted() {
        return match core.spool(&message).await {
            Ok(_) => Ok(()),
            Err(error) => last_resort(core, message, error).await,
        };
    }
    match ask_primary(core, &message).await {
        Answer::Confirmed => Ok(()),
        // About this message only, so trust stays.
        Answer::Failed(refused @ PublishError::Refused(_)) => Err(refused),
        Answer::Failed(error) => {
            let spooled = core.spool(&message).await;
            core.trust.lose(&error.to_string());
            spooled.map(drop).map_err(|spool| neither(&error, &spool))
        }
        Answer::Silent(sending) => {
            let silence = silence(core);
            let _entering = core.late.enter().await;
            let spooled = core.spool(&message).await;
            core.trust.lose(&silence.to_string());
            let id = spooled.map_err(|spool| neither(&silence, &spool))?;
            watch_for(core, id, sending);
            Ok(())
        }
    }
}

/// The spool has no room: a broker that is there, if not trusted, is better than refusing.
async fn last_resort(core: &Core, message: Message, spool: PublishError) -> Result<(), PublishError> {
    if *core.primary_state.borrow() != QueueState::Ready {
        return Err(spool);
    }
    match ask_primary(core, &message).await {
        Answer::Confirmed => {
            core.trust.restore();
            Ok(())
        }
        Answer::Failed(refused @ PublishError::Refused(_)) => Err(refused),
        Answer::Failed(error) => Err(neither(&error, &spool)),
        Answer::Silent(_) => Err(neither(&silence(core), &spool)),
    }
}

async fn ask_primary(core: &Core, message: &Message) -> Answer {
    let (primary, message) = (core.primary.clone(), message.clone());
    let mut sending: Sending = Box::pin(async move { primary.publish(message).await });
    match timeout(core.settings.broker_timeout, &mut sending).await {
        Ok(Ok(())) => Answer::Confirmed,
        Ok(Err(error)) => Answer::Failed(error),
        Err(_) => Answer::Silent(sending),
    }
}

fn silence(core: &Core) -> PublishError {
    PublishError::OutcomeUnknown(format!("no confirmation within {:?}", core.settings.broker_timeout))
}

/// What to say when broker and spool both failed: unknown where the broker may have it, else what the spool said.
fn neither(primary: &PublishError, spool: &PublishError) -> PublishError {
    let text = format!("the broker: {primary}; the spool: {spool}");
    match (primary, spool) {
        (PublishError::OutcomeUnknown(_), _) | (_, PublishError::OutcomeUnknown(_)) => {
            PublishError::OutcomeUnknown(text)
        }
        (_, PublishError::Full(_)) => PublishError::Full(text),
        (_, PublishError::Unavailable(_) | PublishError::Refused(_)) => PublishError::Unavailable(text),
    }
}

impl Core {
    /// Whether a message goes to the broker first.
    pub(super) fn primary_is_trusted(&self) -> bool {
        *self.primary_state.borrow() == QueueState::Ready && self.trust.is_given()
    }

    /// Makes the message durable on the local disk; gives its row.
    async fn spool(&self, message: &Message) -> Result<i64, PublishError> {
        self.check_reserve()?;
        self.spool.insert(message).await
    }

    /// What the spool leaves free of its disk.
    pub(super) fn reserve_bytes(&self) -> u64 {
        self.settings.reserve_bytes.max(HOUSEKEEPING_BYTES)
    }

    /// Whether enough of the disk is left to others, and to this spool itself for removing what it has.
    pub(super) fn check_reserve(&self) -> Result<(), PublishError> {
        let free = disk::free_bytes(&self.folder)
            .map_err(|error| PublishError::Unavailable(format!("the disk of the spool: {error}")))?;
        let reserve = self.reserve_bytes();
        if free < reserve {
            return Err(PublishError::Full(format!("the disk has {free} bytes left, {reserve} are reserved")));
        }
        Ok(())
    }
}
