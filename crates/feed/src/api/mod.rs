//! The user's API: `GET /v1/connections`, `/v1/connections/{token}` and `/v1/events`, behind a bearer token.
//!
//! Promises: every parameter is checked and an unknown one refused (400, naming it); errors are problems (RFC 9457); what
//! waits is bounded in number and time and ends at once when the listener stops.

mod connections;
mod events;
mod freshness;
mod query;
mod stream;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig};
use listener::{BearerToken, Bound, Limits, Problem};
use prometheus::IntGauge;
use store::{Cursor, Feed, Inspect, Refresh, StoreError};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{Metrics, Settings};

/// What a client is told to wait when the store is away or too many wait already.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What the API stands on.
pub struct ApiWiring {
    /// Events.
    pub feed: Arc<dyn Feed>,
    /// Connections.
    pub inspect: Arc<dyn Inspect>,
    /// To ask for a fresh read.
    pub refresh: Arc<dyn Refresh>,
    /// [`crate::Numberer::latest`]: wakes those who wait for events.
    pub latest: watch::Receiver<Cursor>,
    /// What every request must bring.
    pub token: BearerToken,
    /// Section `feed`.
    pub settings: Settings,
    /// The feed's metrics.
    pub metrics: Metrics,
    /// The listener's limits.
    pub limits: Limits,
}

/// What a request's handler needs.
struct Api {
    feed: Arc<dyn Feed>,
    inspect: Arc<dyn Inspect>,
    refresh: Arc<dyn Refresh>,
    latest: watch::Receiver<Cursor>,
    token: BearerToken,
    settings: Settings,
    metrics: Metrics,
    waiting: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    fresh_waiting: Semaphore,
    stop: CancellationToken,
}

/// Serves the API until `stop`; requests that wait are then answered with what there is, and streams end.
pub async fn serve(bound: Bound, wiring: ApiWiring, stop: CancellationToken) -> io::Result<()> {
    let ApiWiring { feed, inspect, refresh, latest, token, settings, metrics, limits } = wiring;
    let api = Arc::new(Api {
        feed,
        inspect,
        refresh,
        latest,
        token,
        waiting: Arc::new(Semaphore::new(settings.waiting_max)),
        streams: Arc::new(Semaphore::new(settings.streams_max)),
        fresh_waiting: Semaphore::new(settings.fresh_waiting_max),
        settings,
        metrics,
        stop: stop.clone(),
    });
    // Who went away must not keep its place among those who wait.
    let limits = Limits { drop_half_closed: true, ..limits };
    listener::serve(bound, &limits, stop, move |service| routes(service, &api)).await
}

fn routes(service: &mut ServiceConfig, api: &Arc<Api>) {
    let resource = |path: &str| web::resource(path).default_service(web::to(only_get));
    service
        .app_data(web::Data::from(api.clone()))
        .service(resource("/v1/connections").route(web::get().to(connections::list)))
        .service(resource("/v1/connections/{token}").route(web::get().to(connections::one)))
        .service(resource("/v1/events").route(web::get().to(events::after)));
}

/// Counts in a gauge for as long as it lives: a handler may be dropped at any await, when its client goes away.
struct Counted(IntGauge);

impl Counted {
    fn one(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

async fn only_get() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", "only GET is possible here").allow("GET")
}

/// An error of the store as a client sees it. The cause is for the log: it may name files and addresses.
fn store_problem(error: &StoreError) -> Problem {
    warn!(error = %error, "the store could not answer a request of the API");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Store unavailable", "the store cannot answer just now; try again")
        .retry_after(RETRY_AFTER)
}

fn too_many(detail: &'static str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Too many readers", detail).retry_after(RETRY_AFTER)
}
