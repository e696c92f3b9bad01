//! From the spool to the broker: in order, a bounded number at a time, removed after the confirmation.
//!
//! A failure ends the pass, and the next one begins at the front after a pause. If confirmed rows cannot be removed,
//! nothing more is sent until they could be: everything else would send the same rows over and over.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use sqlite::ReadError;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{debug, error, info, warn};

use super::Core;
use super::backoff::Backoff;
use super::late::Late;
use crate::embedded::{Engine, ReadLimits, StoredMessage};
use crate::{PublishError, QueueState};

/// Rows read and removed at one time.
const WINDOW_COUNT_MAX: usize = 512;
const WINDOW_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A broker that says nothing for so long is asked again later.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) const PAUSE_FIRST: Duration = Duration::from_millis(100);
pub(super) const PAUSE_MOST: Duration = Duration::from_secs(10);

/// Sends one spool's messages to the broker.
pub(super) struct Drain<'a> {
    core: &'a Core,
    spool: &'a Engine,
    /// Rows that may yet be confirmed late, which are left alone meanwhile. Only in this instance's own spool.
    late: Option<&'a Late>,
}

/// How a pass over the spool ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// Nothing is left.
    Emptied,
    /// Nothing is left but what the broker refuses for what it is.
    Refused { sent: usize },
    /// Something is left that the broker did not take just now, or of which it may yet say that it did.
    Stuck { sent: usize },
    /// The process stops.
    Stopped,
}

/// How far a spool that somebody left was emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing.
    Nothing,
    /// What the broker refuses for what it is.
    Refused,
    /// Whatever there was when the stop token came.
    Stopped,
}

/// What became of one row.
enum Sent {
    Confirmed,
    /// Not now.
    Failed(String),
    /// Not ever, as it looks; the others may pass it.
    Refused(String),
}

/// Drains this instance's own spool until the stop token.
pub(super) async fn run(core: Arc<Core>) {
    let drain = Drain { core: &core, spool: &core.spool, late: Some(&core.late) };
    loop {
        tokio::select! {
            () = core.stop.cancelled() => return,
            () = drain.something_to_send() => {}
        }
        // What is refused may be taken once the broker is told otherwise: it is tried again, with longer pauses.
        let mut backoff = Backoff::new(PAUSE_FIRST, PAUSE_MOST);
        while let Left::Refused = drain.until_empty(&mut backoff).await {
            if !drain.pause(&mut backoff).await {
                return;
            }
        }
    }
}

impl<'a> Drain<'a> {
    pub(super) fn of_adopted(core: &'a Core, spool: &'a Engine) -> Self {
        Self { core, spool, late: None }
    }

    async fn something_to_send(&self) {
        loop {
            let arrival = self.spool.shared.arrivals.notified();
            tokio::pin!(arrival);
            arrival.as_mut().enable();
            if self.spool.depth().messages > 0 {
                return;
            }
            arrival.await;
        }
    }

    /// Sends everything that the broker does not refuse for what it is.
    pub(super) async fn until_empty(&self, backoff: &mut Backoff) -> Left {
        let mut primary = self.core.primary.state();
        loop {
            tokio::select! {
                () = self.core.stop.cancelled() => return Left::Stopped,
                () = readiness(&mut primary) => {}
            }
            let pass = self.pass().await;
            if let Pass::Refused { sent: 1.. } | Pass::Stuck { sent: 1.. } = pass {
                backoff.reset();
            }
            match pass {
                Pass::Emptied => return Left::Nothing,
                Pass::Refused { .. } => return Left::Refused,
                Pass::Stopped => return Left::Stopped,
                Pass::Stuck { .. } => {
                    if !self.pause(backoff).await {
                        return Left::Stopped;
                    }
                }
            }
        }
    }

    /// `false` when the stop token came.
    async fn pause(&self, backoff: &mut Backoff) -> bool {
        tokio::select! {
            () = self.core.stop.cancelled() => false,
            () = tokio::time::sleep(backoff.next()) => true,
        }
    }

    /// From the front to the end, or to the first failure.
    async fn pass(&self) -> Pass {
        let (mut through, mut sent, mut undecided, mut refused, mut first_refusal) = (0, 0, 0, 0, None);
        loop {
            let (late, rows) = match self.late {
                Some(late) => late.beside(self.window_after(through)).await,
                None => (HashSet::new(), self.window_after(through).await),
            };
            let rows = match rows {
                Ok(rows) => rows,
                Err(error) => {
                    error!(%error, "the spool cannot be read");
                    return Pass::Stuck { sent };
                }
            };
            let Some(last) = rows.last() else {
                if sent > 0 {
                    info!(sent, "the spool was drained");
                }
                if let Some(first) = first_refusal {
                    warn!(refused, first, "messages that the broker refuses stay in the spool and are tried again");
                }
                return match (undecided, refused) {
                    (0, 0) => Pass::Emptied,
                    (0, _) => Pass::Refused { sent },
                    _ => Pass::Stuck { sent },
                };
            };
            through = last.id;
            let (waiting, rows): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| late.contains(&row.id));
            let window = self.send(&rows).await;
            sent += window.confirmed.len();
            refused += window.refused;
            first_refusal = first_refusal.or(window.first_refusal);
            undecided += waiting.len();
            if !self.remove(window.confirmed).await {
                return Pass::Stopped;
            }
            if let Some(reason) = window.failure {
                info!(sent, reason, "draining the spool pauses");
                return Pass::Stuck { sent };
            }
        }
    }

    async fn window_after(&self, id: i64) -> Result<Vec<StoredMessage>, ReadError> {
        self.spool.after(id, ReadLimits { count_max: WINDOW_COUNT_MAX, bytes_max: WINDOW_BYTES_MAX }).await
    }

    /// Sends rows until one fails, and waits for those under way.
    async fn send(&self, rows: &[StoredMessage]) -> Window {
        let mut window = Window::default();
        let mut waiting = rows.iter();
        let mut under_way = FuturesOrdered::new();
        loop {
            while window.failure.is_none() && under_way.len() < self.core.settings.drain_in_flight_max.max(1) {
                let Some(row) = waiting.next() else { break };
                under_way.push_back(async { (row.id, self.send_one(row).await) });
            }
            let next = tokio::select! {
                next = under_way.next() => next,
                () = self.core.stop.cancelled() => {
                    window.failure = Some("the process stops".to_owned());
                    return window;
                }
            };
            match next {
                None => return window,
                Some((id, Sent::Confirmed)) => window.confirmed.push(id),
                Some((_, Sent::Failed(reason))) => window.failure = Some(reason),
                Some((row, Sent::Refused(reason))) => {
                    debug!(row, reason, "the broker refuses a spooled message");
                    window.refused += 1;
                    window.first_refusal.get_or_insert(reason);
                }
            }
        }
    }

    async fn send_one(&self, row: &StoredMessage) -> Sent {
        let message = match row.message() {
            Ok(message) => message,
            Err(why) => return Sent::Refused(format!("the row is {why}")),
        };
        match timeout(CONFIRM_TIMEOUT, self.core.primary.publish(message)).await {
            Ok(Ok(())) => {
                self.core.trust.restore();
                Sent::Confirmed
            }
            Ok(Err(PublishError::Refused(reason))) => Sent::Refused(reason),
            Ok(Err(error)) => Sent::Failed(error.to_string()),
            Err(_) => Sent::Failed(format!("no confirmation within {CONFIRM_TIMEOUT:?}")),
        }
    }

    /// Removes confirmed rows, however long that takes; `false` when the stop token came first.
    async fn remove(&self, confirmed: Vec<i64>) -> bool {
        if confirmed.is_empty() {
            return true;
        }
        let mut backoff = Backoff::new(PAUSE_FIRST, PAUSE_MOST);
        while let Err(error) = self.spool.remove_ids(confirmed.clone()).await {
            error!(%error, rows = confirmed.len(), "confirmed messages cannot be removed from the spool; draining stops");
            tokio::select! {
                () = self.core.stop.cancelled() => return false,
                () = tokio::time::sleep(backoff.next()) => {}
            }
        }
        true
    }
}

/// Never comes once the broker's engine has ended: it will say nothing any more.
async fn readiness(primary: &mut watch::Receiver<QueueState>) {
    if primary.wait_for(|state| *state == QueueState::Ready).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// What became of a window of rows.
#[derive(Default)]
struct Window {
    confirmed: Vec<i64>,
    refused: usize,
    first_refusal: Option<String>,
    /// Why the rest was not sent.
    failure: Option<String>,
}
