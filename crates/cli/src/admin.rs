//! The admin listener: `/metrics`, `/livez`, `/readyz`. For the operator's network; nothing here asks for a credential.

mod readiness;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{self, Data};
use actix_web::{HttpResponse, Responder};
use listener::{Bound, Limits};
use prometheus::{Registry, TextEncoder};
use tokio_util::sync::CancellationToken;

pub(crate) use readiness::{Health, Readiness};

/// A scraper and a probe or two need no more.
const WORKERS: usize = 1;

/// Serves until `stop`.
pub(crate) async fn serve(
    bound: Bound,
    limits: &Limits,
    registry: Registry,
    readiness: Readiness,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let limits = Limits { workers: WORKERS, ..limits.clone() };
    let (registry, readiness) = (Data::new(registry), Data::new(readiness));
    listener::serve(bound, &limits, stop, move |app| {
        app.app_data(registry.clone())
            .app_data(readiness.clone())
            .route("/metrics", web::get().to(metrics))
            .route("/livez", web::get().to(live))
            .route("/readyz", web::get().to(ready));
    })
    .await
}

async fn metrics(registry: Data<Registry>) -> HttpResponse {
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => HttpResponse::Ok().insert_header((CONTENT_TYPE, prometheus::TEXT_FORMAT)).body(text),
        Err(error) => {
            tracing::error!(%error, "metrics could not be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// This process answers: restarting it would help nobody.
async fn live() -> impl Responder {
    web::Json(serde_json::json!({ "status": "alive" }))
}

async fn ready(readiness: Data<Readiness>) -> HttpResponse {
    let report = readiness.report();
    if report.is_ready() { HttpResponse::Ok().json(report) } else { HttpResponse::ServiceUnavailable().json(report) }
}
