//! A message that is buried, and back: with its body beside it, the envelope of a dead letter suffices to publish it again.
//!
//! The envelope of a pending webhook holds its JWT. It is meant for the table of dead letters, never for a log.

use bytes::Bytes;
use events::{AppName, BodyHash, Checkpoint, RawWebhook, Receipt, UtcMicros, Verification};
use queue::{Content, Message};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{DeadLetter, DeadLetterReason};
use uuid::Uuid;

/// The longest explanation kept with a letter, in characters.
const DETAIL_CHARS_MAX: usize = 500;

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Envelope {
    Webhook(WebhookEnvelope),
    Checkpoint(Checkpoint),
    Foreign,
}

#[derive(Serialize, Deserialize)]
struct WebhookEnvelope {
    receipt: Receipt,
    app: AppName,
    instance: Uuid,
    sequence: u64,
    decided_through: u64,
    received_at: UtcMicros,
    #[serde(flatten)]
    verification: Verification,
    content_type: Option<String>,
    traceparent: Option<String>,
    body_sha256: String,
}

/// Why a dead letter cannot be published again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRestorable {
    /// Ingress never wrote it, so nobody knows what it would mean.
    #[error("it is foreign: ingress never wrote it")]
    Foreign,
    /// The envelope does not say what it should.
    #[error("its envelope is not one that the consumer wrote: {0}")]
    Envelope(String),
    /// The body is not the one that was buried.
    #[error("its body does not have the hash that its envelope names")]
    Body,
}

/// The letter for a message that cannot be recorded.
pub fn letter(content: &Content, reason: DeadLetterReason, detail: &str, buried_at: UtcMicros) -> DeadLetter {
    let detail = storable(&detail.chars().take(DETAIL_CHARS_MAX).collect::<String>());
    let bare = DeadLetter {
        receipt: None,
        app: None,
        booked: None,
        reason,
        detail,
        buried_at,
        envelope: json!({ "kind": "foreign" }),
        body: Bytes::new(),
    };
    match content {
        Content::Message(Message::Webhook(webhook)) | Content::TooLarge { webhook, .. } => DeadLetter {
            receipt: Some(webhook.receipt),
            app: Some(webhook.app.clone()),
            booked: Some((webhook.instance, webhook.sequence)),
            envelope: value(&Envelope::Webhook(WebhookEnvelope::of(webhook))),
            body: webhook.body.clone(),
            ..bare
        },
        Content::Message(Message::Checkpoint(checkpoint)) => {
            DeadLetter { envelope: value(&Envelope::Checkpoint(checkpoint.clone())), ..bare }
        }
        Content::Foreign { bytes, reason } => DeadLetter {
            envelope: json!({ "kind": "foreign", "reason": storable(reason) }),
            body: bytes.clone(),
            ..bare
        },
    }
}

/// The message that an envelope and a body were made of.
pub fn restore(envelope: &Value, body: Bytes) -> Result<Message, NotRestorable> {
    let envelope =
        serde_json::from_value(envelope.clone()).map_err(|error| NotRestorable::Envelope(error.to_string()))?;
    match envelope {
        Envelope::Foreign => Err(NotRestorable::Foreign),
        Envelope::Checkpoint(checkpoint) => Ok(Message::Checkpoint(checkpoint)),
        Envelope::Webhook(envelope) => envelope.with(body).map(Message::Webhook),
    }
}

impl WebhookEnvelope {
    fn of(webhook: &RawWebhook) -> Self {
        Self {
            receipt: webhook.receipt,
            app: webhook.app.clone(),
            instance: webhook.instance,
            sequence: webhook.sequence,
            decided_through: webhook.decided_through,
            received_at: webhook.received_at,
            verification: webhook.verification.clone(),
            content_type: webhook.content_type.as_deref().map(storable),
            traceparent: webhook.traceparent.as_deref().map(storable),
            body_sha256: webhook.body_sha256.to_string(),
        }
    }

    fn with(self, body: Bytes) -> Result<RawWebhook, NotRestorable> {
        let body_sha256 = BodyHash::of(&body);
        if self.body_sha256 != body_sha256.to_string() {
            return Err(NotRestorable::Body);
        }
        Ok(RawWebhook {
            receipt: self.receipt,
            app: self.app,
            instance: self.instance,
            sequence: self.sequence,
            decided_through: self.decided_through,
            received_at: self.received_at,
            verification: self.verification,
            content_type: self.content_type,
            traceparent: self.traceparent,
            body_sha256,
            body,
        })
    }
}

fn value(envelope: &Envelope) -> Value {
    serde_json::to_value(envelope).unwrap_or_else(|error| json!({ "kind": "foreign", "reason": error.to_string() }))
}

/// A letter must be storable whatever it says: PostgreSQL takes no NUL, neither in text nor in JSON.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
