//! What bounds the messages in flight, over all lanes.
//!
//! A permit belongs to the message and not to who waits for it: it goes with the message to its lane and stays until the
//! broker settled it, or it is certain that it never will. So a caller that does not wait to the end makes no room for another
//! message while its own still takes some.

use std::sync::Arc;

use tokio::sync::{AcquireError, Semaphore};

/// Bytes are counted in units of this many, since a semaphore counts in 32 bits.
const BYTES_PER_UNIT: usize = 1024;

pub(super) struct InFlight {
    messages: Semaphore,
    bytes: Semaphore,
    units_max: usize,
}

/// One message's place. Dropped, it is free for another.
pub(super) struct Permit {
    of: Arc<InFlight>,
    units: u32,
}

impl InFlight {
    /// Room for so many messages, and for so many bytes of their bodies.
    pub(super) fn new(messages_max: usize, bytes_max: usize) -> Arc<Self> {
        let units_max = (bytes_max / BYTES_PER_UNIT).max(1);
        Arc::new(Self { messages: Semaphore::new(messages_max), bytes: Semaphore::new(units_max), units_max })
    }

    /// A place for a body of so many bytes, where there is one and nobody waits for it.
    pub(super) fn try_enter(self: &Arc<Self>, bytes: usize) -> Option<Permit> {
        let units = self.units(bytes);
        let message = self.messages.try_acquire().ok()?;
        self.bytes.try_acquire_many(units).ok()?.forget();
        message.forget();
        Some(Permit { of: Arc::clone(self), units })
    }

    /// The same, and waits for it.
    pub(super) async fn enter(self: &Arc<Self>, bytes: usize) -> Result<Permit, AcquireError> {
        let units = self.units(bytes);
        let message = self.messages.acquire().await?;
        self.bytes.acquire_many(units).await?.forget();
        message.forget();
        Ok(Permit { of: Arc::clone(self), units })
    }

    /// A body that is larger than all the room takes all of it.
    fn units(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(BYTES_PER_UNIT).clamp(1, self.units_max)).unwrap_or(u32::MAX)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.of.bytes.add_permits(self.units as usize);
        self.of.messages.add_permits(1);
    }
}
