//! Relays numbered events to another system (R7): in order, at least once, from a cursor that the store keeps.
//!
//! Promises: the cursor moves only past events that were taken, or never will be; of any number of relays one is active
//! (`relay_turn.rs`), and another goes on where it stops, ends or finds nobody to take events. What was under way then comes
//! again: a reader drops what it has seen by the event's id. An event that nobody asked for (no queue is bound), and one that
//! the other system refuses for what it is, are counted and passed over.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use store::{Cursor, Feed, FeedEntry, FeedFilter, Inspect, StoreError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::relay_turn::RelayTurn;
use crate::{Metrics, Settings};

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
    turn: RelayTurn,
    sink: Arc<dyn EventSink>,
    settings: Settings,
    metrics: Metrics,
    latest: watch::Receiver<Cursor>,
    away: bool,
    stands_by: bool,
}

/// How one round of relaying ended.
enum Round {
    /// There may be more to relay.
    More,
    /// Everything is relayed.
    Done,
    /// Another process relays.
    StoodBy,
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
        let turn = RelayTurn::new(feed.clone(), inspect, settings.relay_lease, metrics.relay_active.clone());
        Self { feed, turn, sink, settings, metrics, latest, away: false, stands_by: false }
    }

    /// Relays until `stop`.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), std::convert::Infallible> {
        loop {
            let round = self.round(&stop).await;
            let pause = if matches!(round, Ok(Round::More)) { Duration::ZERO } else { self.settings.relay_every };
            self.tell(&round);
            if let Err(Setback::Sink(_)) = round {
                // Another feed may reach what this one does not.
                self.turn.give_back().await;
            }
            // Another process may have numbered what this one's watch does not know of, hence the pause as well.
            let waits_for_more = matches!(round, Ok(Round::More | Round::Done));
            let moved = self.latest.changed();
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
                Ok(()) = moved, if waits_for_more => {}
            }
        }
        self.turn.give_back().await;
        Ok(())
    }

    /// Tells of what changed.
    fn tell(&mut self, round: &Result<Round, Setback>) {
        match round {
            Err(setback) => {
                if !std::mem::replace(&mut self.away, true) {
                    warn!(error = %setback, "events cannot be relayed from here; they wait for this feed or another");
                }
            }
            Ok(Round::StoodBy) => {
                if !std::mem::replace(&mut self.stands_by, true) {
                    info!("another feed relays the events; this one stands by");
                }
            }
            Ok(Round::More | Round::Done) => {
                let (was_away, stood_by) = (std::mem::take(&mut self.away), std::mem::take(&mut self.stands_by));
                if was_away || stood_by {
                    info!("this feed relays the events");
                }
            }
        }
    }

    /// Relays one page, where it is this process' turn.
    async fn round(&mut self, stop: &CancellationToken) -> Result<Round, Setback> {
        let taken = self.turn.take().await;
        if !self.turn.is_held() {
            self.metrics.relay_oldest_age.set(0.0);
        }
        let Some(start) = taken? else { return Ok(Round::StoodBy) };
        let page = self.feed.after(start, &FeedFilter::default(), PAGE_MAX).await?;
        self.show_age_of(page.entries.first()).await;
        let mut reached = start;
        let mut setback = None;
        for entry in &page.entries {
            if stop.is_cancelled() {
                break;
            }
            match self.hand_over(entry).await {
                Ok(true) => reached = Cursor(entry.number),
                // Whoever took over begins where the place is, and that is not moved any more.
                Ok(false) => return Ok(Round::StoodBy),
                Err(problem) => {
                    setback = Some(problem);
                    break;
                }
            }
        }
        if reached > start && !self.turn.reached(reached).await? {
            return Ok(Round::StoodBy);
        }
        if reached > start && start < page.gone {
            warn!(through = page.gone.0, "events were purged before anybody relayed them there; relayed what is kept");
        }
        if let Some(problem) = setback {
            return Err(problem);
        }
        if page.entries.len() >= PAGE_MAX {
            return Ok(Round::More);
        }
        if !stop.is_cancelled() {
            self.show_age_of(None).await;
        }
        Ok(Round::Done)
    }

    /// Hands one event over and keeps the turn meanwhile; false where the turn was lost.
    async fn hand_over(&mut self, entry: &FeedEntry) -> Result<bool, Setback> {
        let sink = self.sink.clone();
        let mut relaying = sink.relay(entry);
        let relayed = loop {
            if self.turn.take().await?.is_none() {
                return Ok(false);
            }
            tokio::select! {
                biased;
                relayed = &mut relaying => break relayed?,
                () = tokio::time::sleep(self.turn.renew_every()) => {}
            }
        };
        match relayed {
            Relayed::Routed => {}
            Relayed::Unrouted => self.metrics.unrouted.inc(),
            Relayed::Refused(why) => {
                error!(number = entry.number, error = why, "an event cannot be relayed; only the API has it");
                self.metrics.refused.inc();
            }
        }
        Ok(true)
    }

    /// Shows since when the first event that is not relayed has waited. While events pass one after another that is no time.
    async fn show_age_of(&mut self, oldest: Option<&FeedEntry>) {
        let age = match oldest {
            Some(oldest) => self.turn.now().await.since(oldest.committed_at).as_secs_f64(),
            None => 0.0,
        };
        self.metrics.relay_oldest_age.set(age);
    }
}
