//! What is to be done with each message of a batch, before the store is asked.
//!
//! Reading a body is the only work here that depends on a stranger's bytes. Where it panics, the body counts as unreadable:
//! its delivery is recorded and hints at its app, so nothing is lost by our fault.

use std::panic::{AssertUnwindSafe, catch_unwind};

use events::{BodyTells, RawWebhook, TokenFields, UtcMicros};
use queue::{Content, Delivery, Message};
use store::{DeadLetter, DeadLetterReason, Reading};
use tracing::error;

use crate::envelope::letter;
use crate::part::Part;

/// A message over the delivery limit is tried alone so often. More than one time, because an attempt may also have ended in
/// an outage that was not its fault; not for ever, because it may be what ends this process.
const TRIES_ALONE_MAX: u32 = 3;

/// A batch, sorted.
#[derive(Debug, Default)]
pub(crate) struct Sorted {
    pub(crate) readings: Vec<Reading>,
    pub(crate) marks: Vec<events::Checkpoint>,
    /// Delivered too often: each is read, and tried in a call of its own, when its turn comes. One of them may be what ends
    /// this process, and then the others are stored by that time.
    pub(crate) alone: Vec<Message>,
    pub(crate) letters: Vec<DeadLetter>,
}

pub(crate) fn sort(deliveries: &[Delivery], delivery_limit: u32, fields: &TokenFields, now: UtcMicros) -> Sorted {
    let mut sorted = Sorted::default();
    for delivery in deliveries {
        let attempts = delivery.earlier_attempts;
        match &delivery.content {
            Content::Foreign { reason, .. } => {
                sorted.letters.push(letter(&delivery.content, DeadLetterReason::Foreign, reason, now));
            }
            Content::TooLarge { reason, .. } => {
                sorted.letters.push(letter(&delivery.content, DeadLetterReason::TooLarge, reason, now));
            }
            Content::Message(_) if attempts >= delivery_limit.saturating_add(TRIES_ALONE_MAX) => {
                let detail = format!("delivered {attempts} times before, and never recorded nor found to be at fault");
                sorted.letters.push(letter(&delivery.content, DeadLetterReason::Attempts, &detail, now));
            }
            Content::Message(message) => {
                let alone = attempts >= delivery_limit;
                match message {
                    message if alone => sorted.alone.push(message.clone()),
                    Message::Webhook(webhook) => sorted.readings.push(reading(webhook, fields)),
                    Message::Checkpoint(mark) => sorted.marks.push(mark.clone()),
                }
            }
        }
    }
    sorted
}

/// A message by itself.
pub(crate) fn part_of(message: &Message, fields: &TokenFields) -> Part {
    match message {
        Message::Webhook(webhook) => Part::Readings(vec![reading(webhook, fields)]),
        Message::Checkpoint(mark) => Part::Marks(vec![mark.clone()]),
    }
}

fn reading(webhook: &RawWebhook, fields: &TokenFields) -> Reading {
    let tells = catch_unwind(AssertUnwindSafe(|| BodyTells::read(&webhook.body, fields))).unwrap_or_else(|_| {
        error!(receipt = %webhook.receipt, app = %webhook.app, "reading a body panicked: it counts as unreadable");
        BodyTells::Unreadable
    });
    Reading { webhook: webhook.clone(), tells }
}
