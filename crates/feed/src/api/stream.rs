//! Events as a stream (SSE): `id` is the number, `event` the type, `data` the event in one line.
//!
//! A task per stream reads pages and offers them to the connection one at a time, so a slow reader costs one page of memory
//! and, after [`crate::Settings::stalled_for_max`], its stream. Every stream can be resumed with `Last-Event-ID`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header;
use bytes::Bytes;
use futures_util::stream;
use listener::Problem;
use store::{FeedEntry, StoreError};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, info, warn};

use super::events::{NoPage, Reader, next_page, with_sequence};
use super::{Api, Counted, too_many};

/// How long a client waits before it connects again, by the protocol's `retry` field.
const RECONNECT_AFTER_MS: u64 = 2000;

/// While the store is away a stream stays open and tries again this often: most clients do not come back after a 503.
const STORE_RETRY_EVERY: Duration = Duration::from_secs(1);

/// Opens a stream, where there is room for one more, and unless its reader is told first that events are gone.
pub(super) async fn open(api: Arc<Api>, reader: Reader) -> Result<HttpResponse, Problem> {
    let Ok(permit) = api.streams.clone().try_acquire_owned() else {
        return Err(too_many("too many streams are open; read pages with `wait`, or try again"));
    };
    // A store that is away tells nothing, and the stream waits for it.
    if let Err(gone @ NoPage::Gone(_)) = next_page(&api, &reader, 1).await {
        return Err(gone.into());
    }
    let (chunks, receiver) = mpsc::channel(1);
    tokio::spawn(Stream { api, reader, chunks, sent_at: Instant::now(), _permit: permit }.run());
    let body = stream::unfold(receiver, |mut receiver| async move {
        let chunk: Bytes = receiver.recv().await?;
        Some((Ok::<_, Infallible>(chunk), receiver))
    });
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // nginx would hold events back until its buffer is full.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(body))
}

struct Stream {
    api: Arc<Api>,
    reader: Reader,
    chunks: mpsc::Sender<Bytes>,
    sent_at: Instant,
    _permit: OwnedSemaphorePermit,
}

/// Why a stream ends.
enum End {
    /// The client is gone.
    Closed,
    /// The client takes nothing.
    Stalled,
    /// The listener stops.
    Stopping,
    /// The store is not one to read from.
    Unfit(StoreError),
    /// What comes next is purged: whoever connects again is told so.
    Gone,
}

impl Stream {
    async fn run(mut self) {
        let _counted = Counted::one(&self.api.metrics.streams);
        let Err(end) = self.events().await;
        match end {
            End::Closed | End::Stopping => debug!(cursor = self.reader.cursor.0, "a stream has ended"),
            End::Stalled => {
                self.api.metrics.streams_stalled.inc();
                info!(cursor = self.reader.cursor.0, "a stream was dropped: its reader took nothing");
            }
            End::Gone => info!(cursor = self.reader.cursor.0, "a stream was ended: what comes next is purged"),
            End::Unfit(error) => warn!(error = %error, "a stream was dropped: the store does not fit"),
        }
    }

    async fn events(&mut self) -> Result<Infallible, End> {
        let mut latest = self.api.latest.clone();
        self.send(format!("retry: {RECONNECT_AFTER_MS}\n\n")).await?;
        loop {
            latest.borrow_and_update();
            let again_at = match next_page(&self.api, &self.reader, self.api.settings.stream_page_max.max(1)).await {
                Ok(page) if page.next > self.reader.cursor => {
                    self.reader.cursor = page.next;
                    self.send(page.entries.iter().map(frame).collect()).await?;
                    continue;
                }
                Ok(_) => None,
                Err(NoPage::Store(StoreError::Unavailable(_) | StoreError::Obstructed(_))) => {
                    Some(Instant::now() + STORE_RETRY_EVERY)
                }
                Err(NoPage::Store(error)) => return Err(End::Unfit(error)),
                Err(NoPage::Gone(_)) => return Err(End::Gone),
            };
            let heartbeat = self.sent_at + self.api.settings.heartbeat_every;
            tokio::select! {
                () = self.api.stop.cancelled() => return Err(End::Stopping),
                () = self.chunks.closed() => return Err(End::Closed),
                Ok(()) = latest.changed(), if again_at.is_none() => {}
                () = sleep_until(again_at.unwrap_or(heartbeat).min(heartbeat)) => {
                    self.send(": still here\n\n".to_owned()).await?;
                }
            }
        }
    }

    /// Hands text to the connection, and waits until it is taken. Nothing is sent where the filter left nothing over.
    async fn send(&mut self, text: String) -> Result<(), End> {
        if text.is_empty() && !self.api.stop.is_cancelled() {
            return Ok(());
        }
        tokio::select! {
            () = self.api.stop.cancelled() => Err(End::Stopping),
            sent = timeout(self.api.settings.stalled_for_max, self.chunks.send(Bytes::from(text))) => match sent {
                Ok(Ok(())) => {
                    self.sent_at = Instant::now();
                    Ok(())
                }
                Ok(Err(_)) => Err(End::Closed),
                Err(_) => Err(End::Stalled),
            },
        }
    }
}

/// One event. A line break in JSON can only be white space, and would end the field.
fn frame(entry: &FeedEntry) -> String {
    let data = with_sequence(entry).replace(['\n', '\r'], " ");
    format!("id: {}\nevent: {}\ndata: {data}\n\n", entry.number, entry.kind)
}
