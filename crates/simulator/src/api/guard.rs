//! Around every request: it is counted, gets its ids, and may go wrong.

use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody, SizedStream, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use uuid::Uuid;

use crate::api::Api;
use crate::tally::Asked;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACE_ID: HeaderName = HeaderName::from_static("x-client-trace-id");

/// A cut answer's first half is on its way for so long before the connection closes.
const CUT_AFTER: Duration = Duration::from_millis(20);

/// Lets one request pass.
pub(crate) async fn guard(
    api: web::Data<Api>,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let trace = request.headers().get(TRACE_ID).cloned();
    let asks_key = count(&mut api.asked.lock(), request.method(), request.path());
    let fate = api.faults.fate(Instant::now(), asks_key);
    if !fate.wait.is_zero() {
        tokio::time::sleep(fate.wait).await;
    }
    let mut response = match fate.status {
        Some(status) => request.into_response(api.failure(status)),
        None => next.call(request).await?,
    };
    if fate.cut {
        response = cut(response).await;
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(trace) = trace {
        headers.insert(TRACE_ID, trace);
    }
    *api.asked.lock().by_status.entry(response.status().as_u16()).or_default() += 1;
    Ok(response)
}

impl Api {
    fn failure(&self, status: u16) -> HttpResponse {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        if status == StatusCode::TOO_MANY_REQUESTS {
            response.insert_header((RETRY_AFTER, self.faults.faults().retry_after_seconds.to_string()));
        }
        response.json(serde_json::json!({ "message": status.canonical_reason() }))
    }
}

/// Counts a request; true: it asks for a key.
fn count(asked: &mut Asked, method: &Method, path: &str) -> bool {
    asked.begin(Instant::now());
    let path = path.strip_prefix("/api/v1/").unwrap_or_default();
    let counter = match (method.as_str(), path) {
        ("POST", "auth/login") => &mut asked.logins,
        ("GET", "queries/connections") => &mut asked.lists,
        ("GET", "queries/connections/pending") => &mut asked.pending,
        ("GET", path) if path.starts_with("queries/connections/") => &mut asked.singles,
        ("GET", path) if path.starts_with("webhook_verification/") => &mut asked.keys,
        ("POST" | "DELETE", path) if path.starts_with("commands/") => &mut asked.commands,
        _ => &mut asked.other,
    };
    *counter += 1;
    method == Method::GET && path.starts_with("webhook_verification/")
}

/// The same answer with half of its body: `Content-Length` says all of it, then the connection closes.
async fn cut(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let (request, response) = response.into_parts();
    let (response, body) = response.into_parts();
    // The bodies here are in memory: reading them does not fail.
    let bytes = to_bytes(body).await.unwrap_or_default();
    let half = bytes.slice(..bytes.len() / 2);
    let cut = async {
        // What was written before an error in the same moment would not be sent.
        tokio::time::sleep(CUT_AFTER).await;
        Err(std::io::Error::other("cut by plan"))
    };
    let parts = stream::once(async { Ok::<Bytes, std::io::Error>(half) }).chain(stream::once(cut));
    let body = SizedStream::new(bytes.len() as u64, Box::pin(parts)).boxed();
    ServiceResponse::new(request, response.set_body(body))
}
