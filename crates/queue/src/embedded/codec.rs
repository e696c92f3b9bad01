//! A message as bytes in a row: a kind, the envelope in a fixed order, the body last and untouched.
//!
//! Big-endian numbers, lengths before texts. A change of the layout is a new kind; old kinds stay readable. Not here: the
//! envelope on AMQP.

use bytes::{Buf, BufMut, Bytes, TryGetError};
use events::{AppName, BodyHash, Checkpoint, RawWebhook, Receipt, UtcMicros, Verification};
use uuid::Uuid;

use crate::Message;

const WEBHOOK_V1: u8 = 1;
const CHECKPOINT_V1: u8 = 2;

const UNCHECKED: u8 = 0;
const VERIFIED_UNBOUND: u8 = 1;
const VERIFIED_BOUND: u8 = 2;
const PENDING: u8 = 3;

/// Bytes are not a message that this program wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Undecodable {
    #[error("of a kind that this program does not know: {0}")]
    Kind(u8),
    #[error("cut short")]
    Short,
    #[error("with a bad {0}")]
    Field(&'static str),
}

impl From<TryGetError> for Undecodable {
    fn from(_: TryGetError) -> Self {
        Self::Short
    }
}

pub(crate) fn encode(message: &Message) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.size_bytes());
    match message {
        Message::Webhook(webhook) => encode_webhook(&mut out, webhook),
        Message::Checkpoint(checkpoint) => encode_checkpoint(&mut out, checkpoint),
    }
    out
}

pub(crate) fn decode(mut bytes: Bytes) -> Result<Message, Undecodable> {
    match bytes.try_get_u8()? {
        WEBHOOK_V1 => decode_webhook(bytes).map(Message::Webhook),
        CHECKPOINT_V1 => serde_json::from_slice::<Checkpoint>(&bytes)
            .map(Message::Checkpoint)
            .map_err(|_| Undecodable::Field("checkpoint")),
        other => Err(Undecodable::Kind(other)),
    }
}

fn encode_webhook(out: &mut Vec<u8>, webhook: &RawWebhook) {
    out.put_u8(WEBHOOK_V1);
    put_uuid(out, webhook.receipt.0);
    put_text(out, webhook.app.as_str());
    put_uuid(out, webhook.instance);
    out.put_u64(webhook.sequence);
    out.put_u64(webhook.decided_through);
    out.put_i64(webhook.received_at.0);
    put_verification(out, &webhook.verification);
    put_optional_text(out, webhook.content_type.as_deref());
    put_optional_text(out, webhook.traceparent.as_deref());
    out.put_slice(&webhook.body_sha256.0);
    out.put_slice(&webhook.body);
}

fn decode_webhook(mut bytes: Bytes) -> Result<RawWebhook, Undecodable> {
    let input = &mut bytes;
    Ok(RawWebhook {
        receipt: Receipt(uuid(input)?),
        app: AppName::try_from(text(input)?).map_err(|_| Undecodable::Field("app"))?,
        instance: uuid(input)?,
        sequence: input.try_get_u64()?,
        decided_through: input.try_get_u64()?,
        received_at: UtcMicros(input.try_get_i64()?),
        verification: verification(input)?,
        content_type: optional_text(input)?,
        traceparent: optional_text(input)?,
        body_sha256: BodyHash(hash(input)?),
        body: bytes,
    })
}

/// Checkpoints are rare, so they may be readable.
fn encode_checkpoint(out: &mut Vec<u8>, checkpoint: &Checkpoint) {
    out.put_u8(CHECKPOINT_V1);
    // Numbers, texts and lists go into JSON without a way to fail; if one did, the row would be found undecodable.
    serde_json::to_writer(out, checkpoint).unwrap_or_default();
}

fn put_verification(out: &mut Vec<u8>, verification: &Verification) {
    match verification {
        Verification::Unchecked => out.put_u8(UNCHECKED),
        Verification::Verified { kid, binds_body } => {
            out.put_u8(if *binds_body { VERIFIED_BOUND } else { VERIFIED_UNBOUND });
            put_uuid(out, *kid);
        }
        Verification::Pending { kid, jwt } => {
            out.put_u8(PENDING);
            put_uuid(out, *kid);
            put_text(out, jwt);
        }
    }
}

fn verification(input: &mut Bytes) -> Result<Verification, Undecodable> {
    match input.try_get_u8()? {
        UNCHECKED => Ok(Verification::Unchecked),
        VERIFIED_UNBOUND => Ok(Verification::Verified { kid: uuid(input)?, binds_body: false }),
        VERIFIED_BOUND => Ok(Verification::Verified { kid: uuid(input)?, binds_body: true }),
        PENDING => Ok(Verification::Pending { kid: uuid(input)?, jwt: text(input)? }),
        _ => Err(Undecodable::Field("verification")),
    }
}

fn put_uuid(out: &mut Vec<u8>, uuid: Uuid) {
    out.put_slice(uuid.as_bytes());
}

fn uuid(input: &mut Bytes) -> Result<Uuid, Undecodable> {
    Ok(Uuid::from_u128(input.try_get_u128()?))
}

fn hash(input: &mut Bytes) -> Result<[u8; 32], Undecodable> {
    let mut hash = [0; 32];
    input.try_copy_to_slice(&mut hash)?;
    Ok(hash)
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.put_u32(text.len() as u32);
    out.put_slice(text.as_bytes());
}

fn text(input: &mut Bytes) -> Result<String, Undecodable> {
    let length = input.try_get_u32()? as usize;
    if length > input.len() {
        return Err(Undecodable::Short);
    }
    String::from_utf8(input.split_to(length).into()).map_err(|_| Undecodable::Field("text"))
}

fn put_optional_text(out: &mut Vec<u8>, text: Option<&str>) {
    out.put_u8(u8::from(text.is_some()));
    if let Some(text) = text {
        put_text(out, text);
    }
}

fn optional_text(input: &mut Bytes) -> Result<Option<String>, Undecodable> {
    match input.try_get_u8()? {
        0 => Ok(None),
        1 => text(input).map(Some),
        _ => Err(Undecodable::Field("text")),
    }
}
