//! Starts the receiver and stops it: unready, a grace, the listener, the last attempts, the last mark.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::io;
use std::sync::Arc;

use actix_web::web;
use events::{AppName, UtcMicros};
use listener::{Bound, Limits};
use queue::Publisher;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use verification::{KeySnapshot, Mode, Rules};

use crate::checkpoints::Checkpoints;
use crate::receive;
use crate::receiver::Receiver;
use crate::{Metrics, Settings};

/// What a receiver is made of.
pub struct Wiring {
    /// The apps whose webhooks are taken.
    pub apps: Vec<AppName>,
    /// What it allows.
    pub settings: Settings,
    /// What its listener allows.
    pub limits: Limits,
    /// What is demanded of a signature.
    pub rules: Rules,
    /// Whether signatures are looked at.
    pub mode: Mode,
    /// The keys, as they become known.
    pub keys: watch::Receiver<KeySnapshot>,
    /// The way to the queue. Dropped at the end, so that its engine can end too.
    pub publisher: Publisher,
    /// What it counts.
    pub metrics: Metrics,
}

/// Why a receiver ended without being told to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its listener failed.
    #[error("the webhook listener failed: {0}")]
    Listener(#[from] io::Error),
}

/// Receives webhooks on `bound` until `stop` is cancelled, and then as long as the grace and requests in flight take. Must be
/// run on the main runtime. A webhook is never half-way when it returns: it is in the queue, or its sender knows better.
pub fn start(
    bound: Bound,
    wiring: Wiring,
    stop: CancellationToken,
) -> impl Future<Output = Result<(), Error>> + Send + 'static {
    run(bound, wiring, stop)
}

async fn run(bound: Bound, wiring: Wiring, stop: CancellationToken) -> Result<(), Error> {
    if wiring.mode == Mode::Off {
        tracing::warn!("SIGNATURES ARE NOT VERIFIED (verification.mode = \"off\"): anyone can send webhooks");
    }
    let limits = wiring.limits.clone();
    let receiver = web::Data::new(Receiver::new(wiring, stop.clone(), UtcMicros::now()));
    let checkpoints = Checkpoints {
        books: Arc::clone(&receiver.books),
        publisher: receiver.publisher.clone(),
        every: receiver.settings.checkpoint_every,
        publish_timeout: receiver.settings.publish_timeout,
    };
    let close = CancellationToken::new();
    let served = {
        let receiver = receiver.clone();
        listener::serve(bound, &limits, close.clone(), move |routes| receive::routes(routes, receiver.clone()))
    };
    let ended = tokio::select! {
        ended = served => ended,
        never = checkpoints.run() => match never {},
        never = close_after(&stop, &close, &receiver.settings) => match never {},
    };
    let waited = tokio::time::timeout(receiver.settings.publish_timeout, receiver.refuge.empty()).await;
    if waited.is_err() {
        tracing::warn!("an attempt to publish does not end: the books end without a last checkpoint");
    }
    checkpoints.leave(UtcMicros::now(), true).await;
    Ok(ended?)
}

/// Closes the listener a grace after the stop: a balancer needs that long to see that we are not ready any more.
async fn close_after(stop: &CancellationToken, close: &CancellationToken, settings: &Settings) -> Infallible {
    stop.cancelled().await;
    tracing::info!(grace_ms = settings.grace.as_millis() as u64, "stopping: still accepting for the grace");
    tokio::time::sleep(settings.grace).await;
    close.cancel();
    pending().await
}
