//! The consuming side: one connection, one channel, prefetch, batches; subscribes again when the broker cancels.

use async_trait::async_trait;
use futures_util::StreamExt;
use lapin::Acker;
use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer};
use tokio::sync::watch;
use tokio::time::Instant;

use super::envelope;
use super::held::Held;
use super::link::Dialer;
use super::settle::{Outstanding, SettleOnChannel};
use crate::{Batch, BatchLimits, Delivery, QueueState, Source};

/// Batches that what is sent ahead is divided into at least: some are stored while another one is on its way. With fewer, the
/// broker would send no more before one of them is acknowledged, and a batch would linger for what cannot come.
const BATCHES_AHEAD: usize = 4;

/// A consumer's place at one queue.
pub(super) struct AmqpSource {
    dialer: Dialer,
    queue: &'static str,
    /// Messages that the broker sends ahead.
    ahead: u16,
    state: watch::Sender<QueueState>,
    consuming: Option<Consuming>,
    /// It outlives a call that was given up.
    held: Held<Acker>,
    failures: u32,
    /// The problem that was logged last.
    told: Option<String>,
    not_before: Option<Instant>,
}

/// Kept whole: dropping the connection or the channel ends the consumer.
struct Consuming {
    connection: Connection,
    _channel: Channel,
    consumer: Consumer,
    outstanding: Outstanding,
}

impl AmqpSource {
    pub(super) fn new(dialer: Dialer, queue: &'static str, ahead: u16, state: watch::Sender<QueueState>) -> Self {
        let held = Held::default();
        Self { dialer, queue, ahead, state, consuming: None, held, failures: 0, told: None, not_before: None }
    }

    /// Waits until there is a consumer.
    async fn consuming(&mut self) -> &mut Consuming {
        while self.consuming.is_none() {
            if let Some(not_before) = self.not_before {
                tokio::time::sleep_until(not_before).await;
            }
            match self.subscribe().await {
                Ok(consuming) => {
                    tracing::info!(queue = self.queue, "consuming");
                    self.failures = 0;
                    self.told = None;
                    self.not_before = None;
                    self.state.send_replace(QueueState::Ready);
                    self.consuming = Some(consuming);
                }
                Err(problem) => self.failed(problem),
            }
        }
        // The loop ends only with a consumer in place.
        #[allow(clippy::unwrap_used, reason = "set by the loop above")]
        self.consuming.as_mut().unwrap()
    }

    async fn subscribe(&self) -> Result<Consuming, String> {
        let (connection, _) = self.dialer.dial().await?;
        let subscribed = async {
            let channel = connection.create_channel().await?;
            channel.basic_qos(self.ahead, BasicQosOptions::default()).await?;
            let tag = format!("{}-{}", self.dialer.name, uuid::Uuid::new_v4().simple());
            let options = BasicConsumeOptions::default();
            let consumer =
                channel.basic_consume(self.queue.into(), tag.as_str().into(), options, FieldTable::default()).await?;
            Ok::<_, lapin::Error>((channel, consumer))
        };
        let (channel, consumer) = tokio::time::timeout(self.dialer.settings.connect_timeout, subscribed)
            .await
            .map_err(|_| format!("consuming from {} was not allowed in time", self.queue))?
            .map_err(|error| format!("consuming from {} failed: {error}", self.queue))?;
        Ok(Consuming { connection, _channel: channel, consumer, outstanding: Outstanding::default() })
    }

    fn failed(&mut self, problem: String) {
        if self.told.as_ref() != Some(&problem) {
            tracing::warn!(queue = self.queue, error = problem, "the broker cannot be used; trying on");
            self.told = Some(problem.clone());
        }
        self.not_before = Some(Instant::now() + self.dialer.settings.pause(self.failures));
        self.failures += 1;
        self.state.send_replace(QueueState::Down(problem));
    }

    /// The broker will deliver again what was held and not acknowledged.
    fn lost(&mut self, problem: &str) {
        self.consuming = None;
        self.held = Held::default();
        self.failed(problem.to_owned());
    }

    /// Takes one more message into the batch; false where the channel is lost.
    async fn take_one(&mut self) -> bool {
        let bytes_max = self.dialer.settings.message_bytes_max;
        let consuming = self.consuming().await;
        match consuming.consumer.next().await {
            Some(Ok(delivery)) => {
                let earlier_attempts = envelope::earlier_attempts(&delivery.properties, delivery.redelivered);
                let content = envelope::read(&delivery.properties, delivery.data, bytes_max);
                self.held.take(Delivery { content, earlier_attempts }, delivery.acker);
                true
            }
            Some(Err(error)) => {
                self.lost(&format!("the channel is lost: {error}"));
                false
            }
            None => {
                self.lost("the broker cancelled the consumer");
                false
            }
        }
    }

    fn batch(&mut self, limits: &BatchLimits) -> Option<Batch> {
        let outstanding = self.consuming.as_ref()?.outstanding.clone();
        let (deliveries, ackers) = self.held.batch(limits);
        Some(Batch::new(deliveries, Box::new(SettleOnChannel::new(ackers, outstanding))))
    }
}

#[async_trait]
impl Source for AmqpSource {
    async fn next_batch(&mut self, limits: &BatchLimits) -> Option<Batch> {
        let share = (usize::from(self.ahead) / BATCHES_AHEAD).max(1);
        let limits = &BatchLimits { count_max: limits.count_max.min(share), ..limits.clone() };
        loop {
            if self.held.fills(limits) {
                return self.batch(limits);
            }
            match self.held.remaining(limits.linger) {
                None => {
                    self.take_one().await;
                }
                Some(remaining) => {
                    let in_time = tokio::time::timeout(remaining, self.take_one()).await;
                    if in_time.is_err() && !self.held.is_empty() {
                        return self.batch(limits);
                    }
                }
            }
        }
    }
}

impl Drop for AmqpSource {
    fn drop(&mut self) {
        // Dropping the connection closes it; the broker gives everything unacknowledged to others.
        if let Some(consuming) = self.consuming.take() {
            drop(consuming.connection);
        }
        self.state.send_replace(QueueState::Down("the subscription has ended".to_owned()));
    }
}
