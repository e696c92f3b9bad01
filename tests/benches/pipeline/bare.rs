//! A bare publisher: one lapin channel, one task, so many confirms awaited at a time. What the broker and lapin allow.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueuePurgeOptions};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use queue::rabbitmq::WEBHOOKS;

const BODY_BYTES: usize = 600;

/// Publishes for so long; gives how many were confirmed, and in what time.
pub(crate) async fn publish(
    url: &str,
    properties: &BasicProperties,
    in_flight: usize,
    duration: Duration,
) -> Result<(u64, Duration)> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let body = vec![b'x'; BODY_BYTES];
    let one = || async {
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let sent = channel.basic_publish(WEBHOOKS.into(), "bench".into(), options, &body, properties.clone());
        let confirm = sent.await?;
        Ok::<_, anyhow::Error>(confirm.await?.is_ack())
    };
    let (started, mut stored) = (Instant::now(), 0_u64);
    let mut waiting: FuturesUnordered<_> = (0..in_flight).map(|_| one()).collect();
    while started.elapsed() < duration {
        ensure!(waiting.next().await.context("nothing in flight")??, "the broker refused");
        stored += 1;
        waiting.push(one());
    }
    let elapsed = started.elapsed();
    drop(waiting);
    connection.close(200, "done".into()).await?;
    Ok((stored, elapsed))
}

/// Empties the queue.
pub(crate) async fn purge(url: &str) -> Result<()> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.queue_purge(WEBHOOKS.into(), QueuePurgeOptions::default()).await?;
    Ok(connection.close(200, "done".into()).await?)
}
