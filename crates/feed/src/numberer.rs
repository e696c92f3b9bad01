//! Numbers committed events (R7), promptly and without holes. Any number of these may run: the store lets one at a time.

use std::sync::Arc;
use std::time::Duration;

use store::{Cursor, Feed, StoreError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{Metrics, Settings};

/// The loop that numbers, and that tells readers how far the numbers go.
pub struct Numberer {
    feed: Arc<dyn Feed>,
    settings: Settings,
    metrics: Metrics,
    latest: watch::Sender<Cursor>,
    pause: Duration,
    store_away: bool,
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many events got their number.
    Numbered(u64),
    /// There was nothing to number.
    Idle,
    /// The store is away.
    Away,
}

/// Why a numberer ended by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The store is not one that this program can work with; a person has to act.
    #[error("the feed stops numbering events: {0}")]
    Unfit(String),
}

impl Numberer {
    /// A numberer of the store's outbox.
    pub fn new(feed: Arc<dyn Feed>, settings: Settings, metrics: Metrics) -> Self {
        let pause = settings.poll_min;
        Self { feed, settings, metrics, latest: watch::Sender::default(), pause, store_away: false }
    }

    /// The last number given by anyone, as this numberer learns of it; 0 before its first step.
    pub fn latest(&self) -> watch::Receiver<Cursor> {
        self.latest.subscribe()
    }

    /// Numbers until `stop`.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), Error> {
        loop {
            if let Err(unfit) = self.step().await {
                error!(error = %unfit, "numbering has failed");
                return Err(unfit);
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(self.pause) => {}
            }
        }
    }

    /// Numbers what is committed, one transaction's worth.
    pub async fn step(&mut self) -> Result<Step, Error> {
        let limit = self.settings.number_at_once_max.max(1);
        let numbered = match self.feed.number(limit).await {
            Ok(numbered) => numbered,
            Err(unfit @ (StoreError::Incompatible(_) | StoreError::Fenced(_))) => {
                return Err(Error::Unfit(unfit.to_string()));
            }
            Err(away @ (StoreError::Unavailable(_) | StoreError::Obstructed(_) | StoreError::Culprit(..))) => {
                if !std::mem::replace(&mut self.store_away, true) {
                    warn!(error = %away, "the store is away: events wait for their numbers");
                }
                self.pause = self.settings.poll_max;
                return Ok(Step::Away);
            }
        };
        if std::mem::take(&mut self.store_away) {
            info!("the store is back: numbering events");
        }
        self.metrics.numbered.inc_by(numbered.count);
        self.metrics.latest.set(numbered.last.0 as i64);
        self.latest.send_if_modified(|latest| {
            let moved = numbered.last > *latest;
            *latest = numbered.last.max(*latest);
            moved
        });
        if numbered.count == 0 {
            // Not `clamp`: it panics where a person has set the two the wrong way round.
            self.pause = (self.pause * 2).min(self.settings.poll_max).max(self.settings.poll_min);
            return Ok(Step::Idle);
        }
        self.pause = if numbered.count >= limit as u64 { Duration::ZERO } else { self.settings.poll_min };
        Ok(Step::Numbered(numbered.count))
    }
}
