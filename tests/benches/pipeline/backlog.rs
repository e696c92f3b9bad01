//! Webhooks that wait in a queue: 600 bytes each, every body another, of a thousand connections.

use anyhow::{Context, Result};
use bytes::Bytes;
use events::{BodyHash, RawWebhook, Receipt, UtcMicros, Verification};
use queue::{Message, Publisher};
use uuid::Uuid;

use crate::serve::APP;

const IN_FLIGHT_MAX: usize = 1024;
const BODY_BYTES: usize = 600;

/// Publishes so many webhooks and waits until all are stored.
pub(crate) async fn publish(publisher: &Publisher, webhooks: u64) -> Result<()> {
    let mut publishing = tokio::task::JoinSet::new();
    for sequence in 1..=webhooks {
        let publisher = publisher.clone();
        publishing
            .spawn(async move { publisher.publish(Message::Webhook(webhook(sequence)?)).await.map_err(Into::into) });
        if publishing.len() >= IN_FLIGHT_MAX {
            publishing.join_next().await.context("nothing to join")??.context("not published")?;
        }
    }
    let results: Vec<Result<()>> = publishing.join_all().await;
    results.into_iter().collect()
}

fn webhook(sequence: u64) -> Result<RawWebhook> {
    const END: &str = "\"}";
    let mut body = format!("{{\"connectionToken\":\"BENCH{:05}\",\"n\":{sequence},\"pad\":\"", sequence % 1000);
    body.push_str(&"x".repeat(BODY_BYTES - END.len() - body.len()));
    body.push_str(END);
    let body = Bytes::from(body);
    Ok(RawWebhook {
        receipt: Receipt::draw(),
        app: APP.parse()?,
        instance: Uuid::nil(),
        sequence,
        decided_through: sequence - 1,
        received_at: UtcMicros::now(),
        verification: Verification::Verified { kid: Uuid::nil(), binds_body: true },
        content_type: Some("application/json".to_owned()),
        traceparent: None,
        body_sha256: BodyHash::of(&body),
        body,
    })
}
