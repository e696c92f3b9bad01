//! Messages and limits for this crate's tests and for the scenarios that every engine must pass.
#![allow(clippy::expect_used, clippy::panic, reason = "this is test code, in a library to be shared")]

use std::time::Duration;

use bytes::Bytes;
use events::{BodyHash, Checkpoint, RawWebhook, Receipt, SequenceRange, UtcMicros, Verification};
use uuid::Uuid;

use crate::{Batch, BatchLimits, Content, Message};

/// A webhook whose every field follows from `n`.
pub(crate) fn webhook(n: u64) -> Message {
    let body = Bytes::from(format!(r#"{{"number": {n}, "padding": "{}"}}"#, "x".repeat(100)));
    Message::Webhook(RawWebhook {
        receipt: receipt(n),
        app: "app_one".parse().expect("an app name"),
        instance: Uuid::from_u128(7),
        sequence: n,
        decided_through: n.saturating_sub(1),
        received_at: UtcMicros(1_000_000 + n as i64),
        verification: Verification::Verified { kid: Uuid::from_u128(8), binds_body: true },
        content_type: Some("application/json".to_owned()),
        traceparent: None,
        body_sha256: BodyHash::of(&body),
        body,
    })
}

pub(crate) fn receipt(n: u64) -> Receipt {
    Receipt(Uuid::from_u128(u128::from(n)))
}

pub(crate) fn checkpoint() -> Message {
    Message::Checkpoint(Checkpoint {
        instance: Uuid::from_u128(7),
        started_at: UtcMicros(1),
        at: UtcMicros(2),
        decided_through: 9,
        refused: vec![SequenceRange { from: 3, through: 4 }],
        last: false,
    })
}

/// Batches of at most `count_max` that are not waited for.
pub(crate) fn limits(count_max: usize) -> BatchLimits {
    BatchLimits { count_max, bytes_max: usize::MAX, linger: Duration::ZERO }
}

/// The number that a webhook was made of.
pub(crate) fn number(message: &Message) -> u64 {
    match message {
        Message::Webhook(webhook) => webhook.sequence,
        Message::Checkpoint(checkpoint) => panic!("a checkpoint: {checkpoint:?}"),
    }
}

/// The numbers and earlier attempts in a batch.
pub(crate) fn numbers(batch: &Batch) -> Vec<(u64, u32)> {
    let number_of = |content: &Content| match content {
        Content::Message(message) => number(message),
        Content::TooLarge { reason, .. } | Content::Foreign { reason, .. } => panic!("{reason}"),
    };
    batch.deliveries().iter().map(|delivery| (number_of(&delivery.content), delivery.earlier_attempts)).collect()
}

/// One poll: for what must have begun, and must not have ended.
pub(crate) async fn polled_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
