//! Relays numbered events to another system (R7): in order, at least once, from a cursor that the store keeps.
//!
//! Promises: the cursor moves only past events that were taken, or never will be; any number of relays may run, and a reader
//! drops what it has seen by the event's id. An event that nobody asked for (no queue is bound), and one that the other system
//! refuses for what it is, are counted and passed over.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use store::{Cursor, Feed, FeedEntry, FeedFilter, Inspect, SharedClock, StoreError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{Metrics, Settings};

/// The cursor's name in the store.
const TARGET: &str = "amqp";
/// Events relayed between two moves of the cursor.
const PAGE_MAX: usize = 200;

/// Where events are relayed to.
#[async_trait]
pub trait EventSink: Send + Sync {
    /// Hands one event over; resolves when it is safe there.
    async fn relay(&self, entry: &FeedEntry) -> Result<Relayed, NotRelayed>;
}

/// Whether anyone will get an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relayed {
    /// Somebody will.
    Routed,
    /// Nobody asked for it.
    Unrouted,
    /// It would be refused every time, and all later events would wait for it. Only the feed's API has it.
    Refused(String),
}

/// The event was not taken; it is offered again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotRelayed(pub String);

/// The loop that relays.
pub struct Relay {
    feed: Arc<dyn Feed>,
    inspect: Arc<dyn Inspect>,
    clock: SharedClock,
    sink: Arc<dyn EventSink>,
    settings: Settings,
    metrics: Metrics,
    latest: watch::Receiver<Cursor>,
    away: bool,
}

/// Why one round of relaying ended early.
#[derive(Debug, thiserror::Error)]
enum Setback {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Sink(#[from] NotRelayed),
}

impl Relay {
    /// A relay of `feed` that wakes when `latest` moves. `inspect` is asked for the store's time.
    pub fn new(
        feed: Arc<dyn Feed>,
        inspect: Arc<dyn Inspect>,
        sink: Arc<dyn EventSink>,
        settings: Settings,
        metrics: Metrics,
        latest: watch::Receiver<Cursor>,
    ) -> Self {
        Self { feed, inspect, clock: SharedClock::default(), sink, settings, metrics, latest, away: false }
    }

    /// Relays until `stop`.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), std::convert::Infallible> {
        loop {
            let pause = match self.round(&stop).await {
                Ok(true) => Duration::ZERO,
                Ok(false) => {
                    if std::mem::take(&mut self.away) {
                        info!("events are relayed again");
                    }
                    self.settings.relay_every
                }
                Err(setback) => {
                    if !std::mem::replace(&mut self.away, true) {
                        warn!(error = %setback, "events cannot be relayed; they wait");
                    }
                    self.settings.relay_every
                }
            };
            // Another process may have numbered what this one's watch does not know of, hence the pause as well.
            let moved = self.latest.changed();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
                Ok(()) = moved, if !self.away => {}
            }
        }
    }

    /// Relays one page; true where there may be more.
    async fn round(&mut self, stop: &CancellationToken) -> Result<bool, Setback> {
        let cursor = self.feed.relay_cursor(TARGET).await?;
        let page = self.feed.after(cursor, &FeedFilter::default(), PAGE_MAX).await?;
        self.show_age_of(page.entries.first()).await;
        let mut reached = cursor;
        let mut setback = None;
        for entry in &page.entries {
            if stop.is_cancelled() {
                break;
            }
            match self.sink.relay(entry).await {
                Ok(Relayed::Routed) => {}
                Ok(Relayed::Unrouted) => self.metrics.unrouted.inc(),
                Ok(Relayed::Refused(why)) => {
                    error!(number = entry.number, error = why, "an event cannot be relayed; only the API has it");
                    self.metrics.refused.inc();
                }
                Err(problem) => {
                    setback = Some(problem);
                    break;
                }
            }
            reached = Cursor(entry.number);
        }
        if reached > cursor {
            self.feed.relayed(TARGET, reached).await?;
        }
        if let Some(problem) = setback {
            return Err(problem.into());
        }
        let more = page.entries.len() >= PAGE_MAX;
        if !more && !stop.is_cancelled() {
            self.show_age_of(None).await;
        }
        Ok(more)
    }

    /// Shows since when the first event that is not relayed has waited. While events pass one after another that is no time.
    async fn show_age_of(&mut self, oldest: Option<&FeedEntry>) {
        let age = match oldest {
            Some(oldest) => self.clock.now(self.inspect.time()).await.since(oldest.committed_at).as_secs_f64(),
            None => 0.0,
        };
        self.metrics.relay_oldest_age.set(age);
    }
}
