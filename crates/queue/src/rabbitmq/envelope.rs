//! How a message looks on AMQP: the body is the raw bytes, everything else a property or a header.
//!
//! Reading is strict: what does not have every field in its form was not written by ingress, and the reason says which.

use std::borrow::Cow;

use bytes::Bytes;
use events::{BodyHash, Checkpoint, RawWebhook, Receipt, UtcMicros, Verification};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use uuid::Uuid;

use super::properties::{Properties, Told};
use crate::{Content, Message};

const WEBHOOK_TYPE: &str = "finlinkd.webhook.v1";
const CHECKPOINT_TYPE: &str = "finlinkd.checkpoint.v1";
/// Of a body that is too large and not ours only so many bytes are kept, for a person to recognise it by.
const TOO_LARGE_KEPT_BYTES: usize = 16 * 1024;
/// Checkpoints belong to no app.
const CHECKPOINT_KEY: &str = "finlinkd.checkpoint";

/// A message ready to be published.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) exchange: &'static str,
    pub(super) routing_key: Cow<'static, str>,
    pub(super) properties: Properties,
    pub(super) body: Bytes,
}

/// The form of `message` on AMQP.
pub(super) fn write(message: Message) -> Outgoing {
    match message {
        Message::Webhook(webhook) => write_webhook(webhook),
        Message::Checkpoint(checkpoint) => write_checkpoint(&checkpoint),
    }
}

fn write_webhook(webhook: RawWebhook) -> Outgoing {
    let told = Told {
        content_type: webhook.content_type.as_deref(),
        message_id: &webhook.receipt,
        kind: WEBHOOK_TYPE,
        at: webhook.received_at,
    };
    let properties = Properties::with_headers(&told, |headers| {
        headers.text("app", &webhook.app);
        headers.number("received-at-us", webhook.received_at.0);
        headers.text("instance", &webhook.instance);
        headers.number("sequence", webhook.sequence as i64);
        headers.number("decided-through", webhook.decided_through as i64);
        headers.text("verification", &webhook.verification.word());
        headers.flag("binds-body", webhook.verification.binds_body());
        headers.text("body-sha256", &webhook.body_sha256);
        if let Some(kid) = webhook.verification.kid() {
            headers.text("kid", &kid);
        }
        if let Verification::Pending { jwt, .. } = &webhook.verification {
            headers.text("signature", jwt);
        }
        if let Some(traceparent) = &webhook.traceparent {
            headers.text("traceparent", traceparent);
        }
        if let Some(content_type) = &webhook.content_type {
            // Beside the property, which holds 255 bytes at most.
            headers.text("content-type", content_type);
        }
    });
    Outgoing {
        exchange: super::topology::WEBHOOKS,
        routing_key: webhook.app.as_str().to_owned().into(),
        properties,
        body: webhook.body,
    }
}

fn write_checkpoint(checkpoint: &Checkpoint) -> Outgoing {
    let properties = Properties::new(&Told {
        content_type: Some("application/json"),
        message_id: &Uuid::now_v7(),
        kind: CHECKPOINT_TYPE,
        at: checkpoint.at,
    });
    let body = serde_json::to_vec(checkpoint).unwrap_or_default();
    Outgoing { exchange: super::topology::WEBHOOKS, routing_key: CHECKPOINT_KEY.into(), properties, body: body.into() }
}

/// What a delivered message is. A body of more than `bytes_max` is parsed by nobody: as JSON it takes many times its size. A
/// webhook of ours with such a body is kept whole all the same, since it was acknowledged; of what is not ours a beginning is.
pub(super) fn read(properties: &BasicProperties, mut body: Vec<u8>, bytes_max: usize) -> Content {
    // What lapin gathers frame by frame has room for up to twice as much.
    body.shrink_to_fit();
    let body = Bytes::from(body);
    let excess = (body.len() > bytes_max)
        .then(|| format!("the body has {} bytes, more than rabbitmq.message_bytes_max ({bytes_max})", body.len()));
    let message = match (properties.kind().as_ref().map_or("", ShortString::as_str), &excess) {
        (WEBHOOK_TYPE, _) => read_webhook(properties, body.clone()).map(Message::Webhook),
        (CHECKPOINT_TYPE, None) => serde_json::from_slice(&body)
            .map(Message::Checkpoint)
            .map_err(|error| format!("the body is not a checkpoint: {error}")),
        (CHECKPOINT_TYPE, Some(_)) => Err("no checkpoint is so large".to_owned()),
        (other, _) => Err(format!("the property type is {other:?}: expected {WEBHOOK_TYPE} or {CHECKPOINT_TYPE}")),
    };
    match (message, excess) {
        (Ok(Message::Webhook(webhook)), Some(excess)) => {
            let reason = format!("{excess}: raise that on the consumers, then redrive it");
            Content::TooLarge { webhook, reason }
        }
        (Ok(message), _) => Content::Message(message),
        (Err(reason), None) => Content::Foreign { bytes: body, reason },
        (Err(reason), Some(excess)) => beginning(&body, bytes_max, &format!("{excess}, and {reason}")),
    }
}

/// What is kept of a large message that is not ours.
fn beginning(body: &[u8], bytes_max: usize, why: &str) -> Content {
    let kept = &body[..TOO_LARGE_KEPT_BYTES.min(bytes_max).min(body.len())];
    let reason = format!("{why}; its first {} bytes are kept, its sha256 is {}", kept.len(), BodyHash::of(body));
    // A copy, so that the rest is let go.
    Content::Foreign { bytes: Bytes::copy_from_slice(kept), reason }
}

fn read_webhook(properties: &BasicProperties, body: Bytes) -> Result<RawWebhook, String> {
    let empty = FieldTable::default();
    let headers = Headers(properties.headers().as_ref().unwrap_or(&empty));
    let receipt = properties.message_id().as_ref().ok_or("the property message_id is missing")?;
    let body_sha256: BodyHash = headers.parsed("body-sha256")?;
    if body_sha256 != BodyHash::of(&body) {
        return Err("the header body-sha256 is not the hash of the body".to_owned());
    }
    Ok(RawWebhook {
        receipt: receipt.as_str().parse::<Receipt>().map_err(|error| format!("the property message_id: {error}"))?,
        app: headers.parsed("app")?,
        instance: headers.parsed("instance")?,
        sequence: headers.number("sequence")? as u64,
        decided_through: headers.number("decided-through")? as u64,
        received_at: UtcMicros(headers.number("received-at-us")?),
        verification: headers.verification()?,
        content_type: headers.text("content-type"),
        traceparent: headers.text("traceparent"),
        body_sha256,
        body,
    })
}

struct Headers<'a>(&'a FieldTable);

impl Headers<'_> {
    fn text(&self, name: &str) -> Option<String> {
        match self.0.inner().get(name)? {
            AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok().map(str::to_owned),
            AMQPValue::ShortString(text) => Some(text.as_str().to_owned()),
            _ => None,
        }
    }

    fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<T, String> {
        let text = self.text(name).ok_or_else(|| format!("the header {name} is missing or not a text"))?;
        text.parse().map_err(|error| format!("the header {name}: {error}"))
    }

    fn number(&self, name: &str) -> Result<i64, String> {
        match self.0.inner().get(name) {
            Some(AMQPValue::LongLongInt(number)) if *number >= 0 => Ok(*number),
            Some(AMQPValue::LongInt(number)) if *number >= 0 => Ok(i64::from(*number)),
            Some(AMQPValue::LongUInt(number)) => Ok(i64::from(*number)),
            _ => Err(format!("the header {name} is missing or not a whole number")),
        }
    }

    fn verification(&self) -> Result<Verification, String> {
        let binds_body = matches!(self.0.inner().get("binds-body"), Some(AMQPValue::Boolean(true)));
        match self.text("verification").as_deref() {
            Some("verified") => Ok(Verification::Verified { kid: self.parsed("kid")?, binds_body }),
            Some("pending") => {
                let jwt =
                    self.text("signature").ok_or("the header signature is missing though the webhook is pending")?;
                Ok(Verification::Pending { kid: self.parsed("kid")?, jwt })
            }
            Some("unchecked") => Ok(Verification::Unchecked),
            _ => Err("the header verification is none of verified, pending, unchecked".to_owned()),
        }
    }
}

/// How often the broker delivered a message before this time.
pub(super) fn earlier_attempts(properties: &BasicProperties, redelivered: bool) -> u32 {
    let count = properties.headers().as_ref().and_then(|headers| headers.inner().get("x-delivery-count"));
    match count {
        Some(AMQPValue::LongLongInt(count)) => u32::try_from(*count).unwrap_or(0),
        Some(AMQPValue::LongInt(count)) => u32::try_from(*count).unwrap_or(0),
        Some(AMQPValue::ShortShortUInt(count)) => u32::from(*count),
        Some(AMQPValue::ShortShortInt(count)) => u32::try_from(*count).unwrap_or(0),
        Some(AMQPValue::ShortInt(count)) => u32::try_from(*count).unwrap_or(0),
        _ => u32::from(redelivered),
    }
}

#[cfg(test)]
mod tests {
    use amq_protocol::protocol::basic::parse_properties;
    use uuid::Uuid;

    use super::*;

    const BYTES_MAX: usize = 20_000;

    fn webhook(bytes: usize) -> RawWebhook {
        let body = Bytes::from(vec![b'['; bytes]);
        RawWebhook {
            receipt: Receipt::draw(),
            app: "main".parse().unwrap(),
            instance: Uuid::max(),
            sequence: 7,
            decided_through: 3,
            received_at: UtcMicros(1_000_000),
            verification: Verification::Pending { kid: Uuid::max(), jwt: "a.b.c".to_owned() },
            content_type: Some("application/json".to_owned()),
            traceparent: None,
            body_sha256: BodyHash::of(&body),
            body,
        }
    }

    /// As the codec of a consumer reads them.
    fn properties_of(webhook: &RawWebhook) -> BasicProperties {
        let mut bytes = Vec::new();
        write(Message::Webhook(webhook.clone())).properties.put(&mut bytes, 1);
        let Ok(([], properties)) = parse_properties(bytes.as_slice()) else { panic!("unreadable") };
        properties
    }

    fn read_again(webhook: &RawWebhook, body: &[u8]) -> Content {
        read(&properties_of(webhook), body.to_vec(), BYTES_MAX)
    }

    #[test]
    fn a_webhook_of_ours_that_is_too_large_is_whole_and_marked() {
        let fits = webhook(BYTES_MAX);
        assert_eq!(read_again(&fits, &fits.body), Content::Message(Message::Webhook(fits.clone())));

        let large = webhook(BYTES_MAX + 1);
        let Content::TooLarge { webhook, reason } = read_again(&large, &large.body) else { panic!("it is cut") };
        assert_eq!(webhook, large);
        assert!(reason.contains("the body has 20001 bytes, more than rabbitmq.message_bytes_max (20000)"), "{reason}");
    }

    #[test]
    fn of_a_strangers_large_message_only_the_beginning_is_kept() {
        let large = webhook(BYTES_MAX + 1);
        let mut other = large.body.to_vec();
        other[0] = b'{';
        let is_cut = |properties: &BasicProperties, why: &str| {
            let Content::Foreign { bytes, reason } = read(properties, other.clone(), BYTES_MAX) else {
                panic!("{why}")
            };
            assert_eq!(bytes[..], other[..TOO_LARGE_KEPT_BYTES]);
            let hash = BodyHash::of(&other).to_string();
            for told in [why, "the body has 20001 bytes", "its first 16384 bytes are kept", &hash] {
                assert!(reason.contains(told), "{told} is not in {reason}");
            }
        };
        is_cut(&properties_of(&large), "body-sha256 is not the hash");
        is_cut(&BasicProperties::default(), "the property type");
        is_cut(&BasicProperties::default().with_type(CHECKPOINT_TYPE.into()), "no checkpoint is so large");
    }
}
