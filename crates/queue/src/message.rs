//! What goes through the queue.

use events::{Checkpoint, RawWebhook};

/// A message as ingress publishes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A webhook.
    Webhook(RawWebhook),
    /// A mark in the books.
    Checkpoint(Checkpoint),
}

impl Message {
    /// What it counts against limits, in bytes: the body and a generous estimate of the envelope.
    pub fn size_bytes(&self) -> usize {
        const ENVELOPE_BYTES: usize = 256;
        ENVELOPE_BYTES
            + match self {
                Self::Webhook(webhook) => webhook.body.len(),
                Self::Checkpoint(checkpoint) => checkpoint.refused.len() * 16,
            }
    }
}
