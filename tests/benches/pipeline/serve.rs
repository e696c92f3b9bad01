//! The servers that are measured: nothing behind HTTP, the receiver with storing left out, the receiver with its queue.

use std::path::Path;
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use ingress::{Metrics, Wiring};
use listener::Limits;
use prometheus::Registry;
use queue::embedded::EmbeddedQueue;
use queue::{Message, PublishEngine, PublishError, Publisher, QueueState};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use verification::{KeySet, KeySnapshot, Mode, Rules};

use crate::{consuming, reference};

/// The app that the load sends to.
pub(crate) const APP: &str = "bench";
/// The key, in the server's folder.
pub(crate) const KEY_FILE: &str = "key.json";

/// The address of the broker, in the server's folder.
pub(crate) const BROKER_FILE: &str = "broker";

/// Serves until killed; the first line of output is the address.
pub(crate) fn run(what: &str, folder: &Path) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(what, folder))
}

async fn serve(what: &str, folder: &Path) -> Result<()> {
    if what == "consumer" {
        return consuming::consume(folder).await;
    }
    let bound = listener::bind("listen", ([127, 0, 0, 1], 0).into())?;
    let address = bound.address();
    let stop = CancellationToken::new();
    let url = std::fs::read_to_string(folder.join(BROKER_FILE)).unwrap_or_default();
    let (publisher, _kept): (Publisher, Box<dyn std::any::Any>) = match what.split_once('-').map(|(_, storing)| storing)
    {
        None => {
            println!("{address}");
            return Ok(listener::serve(bound, &Limits::default(), stop, nothing).await?);
        }
        Some(kind) if kind.starts_with("lapin") => {
            println!("{address}");
            return reference::serve(bound, url, kind, stop).await;
        }
        Some("not-stored") => (Publisher::new(Arc::new(NotStored::new())), Box::new(())),
        Some("stored") => {
            let settings = queue::Settings { folder: folder.to_owned(), ..queue::Settings::default() };
            let queue = EmbeddedQueue::open(&settings)?;
            (queue.publisher(), Box::new(queue))
        }
        Some(other) => bail!("there is no server {other}"),
    };
    let mode = if what.starts_with("signed") { Mode::Enforce } else { Mode::Off };
    let (_keys, keys) = watch::channel(keys(folder)?);
    let wiring = Wiring {
        apps: vec![APP.parse()?],
        settings: ingress::Settings::default(),
        limits: Limits::default(),
        rules: Rules::default(),
        mode,
        keys,
        publisher,
        metrics: Metrics::register(&Registry::new())?,
    };
    // Said last: what is behind it is ready, and the topology declared.
    println!("{address}");
    Ok(ingress::start(bound, wiring, stop).await?)
}

fn keys(folder: &Path) -> Result<KeySnapshot> {
    let text = std::fs::read_to_string(folder.join(KEY_FILE)).context("the key is missing")?;
    let (kid, jwk): (Uuid, serde_json::Value) = serde_json::from_str(&text)?;
    let mut keys = KeySet::default();
    keys.insert(&APP.parse()?, kid, &jwk)?;
    Ok(KeySnapshot { keys: Arc::new(keys), read_at: Some(events::UtcMicros::now()), ..KeySnapshot::default() })
}

/// Reads the body and answers: what the HTTP server costs by itself.
fn nothing(routes: &mut web::ServiceConfig) {
    routes.route(
        "/webhooks/{app}",
        web::post().to(async |body: web::Bytes| HttpResponse::Ok().body(body.len().to_string())),
    );
}

/// A queue that says yes.
struct NotStored {
    state: watch::Receiver<QueueState>,
}

impl NotStored {
    fn new() -> Self {
        Self { state: watch::channel(QueueState::Ready).1 }
    }
}

#[async_trait]
impl PublishEngine for NotStored {
    async fn publish(&self, _: Message) -> Result<(), PublishError> {
        Ok(())
    }

    fn state(&self) -> watch::Receiver<QueueState> {
        self.state.clone()
    }
}
