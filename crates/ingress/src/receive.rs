//! The walk of a request, from its head to its answer.
//!
//! What never becomes a request is answered by the HTTP server and counted nowhere: bytes that are not HTTP (400), a head
//! that does not come (408), a head over 128 KiB or 96 fields (431).

use std::time::Instant;

use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderName};
use actix_web::http::{ConnectionType, Method};
use actix_web::web::{self, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use events::{BodyHash, RawWebhook, Receipt, UtcMicros, Verification};
use queue::PublishError;

use crate::apps::{App, Series};
use crate::receiver::Receiver;
use crate::{Outcome, answer, body, unread};

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A header that is passed on is passed on up to this length: it becomes a short string of AMQP.
const PASSED_ON_BYTES_MAX: usize = 255;

/// What HTTP adds to a header's name and value: the colon, a space, the end of the line.
const HEADER_OVERHEAD_BYTES: usize = 4;

/// Every path leads to one service, which tells them apart: finding a path among patterns costs more than reading a head.
/// Called by each worker on its own thread.
pub(crate) fn routes(routes: &mut ServiceConfig, receiver: web::Data<Receiver>) {
    receiver.publisher.attach_thread();
    routes.app_data(receiver).default_service(web::to(webhook));
}

async fn webhook(request: HttpRequest, mut payload: Payload, receiver: web::Data<Receiver>) -> HttpResponse {
    let named = named(request.match_info().unprocessed());
    let Some(app) = named.and_then(|name| receiver.apps.get(name)) else {
        let outcome = if named.is_some() { Outcome::UnknownApp } else { Outcome::UnknownPath };
        let visit = Visit::begin(&receiver, &receiver.apps.nobody);
        return unread::hold(payload, visit.refuse(&request, outcome.into()));
    };
    let visit = Visit::begin(&receiver, &app.series);
    match take(&receiver, app, &request, &mut payload).await {
        Ok((receipt, outcome)) => visit.accept(receipt, outcome),
        Err(refused) => unread::hold(payload, visit.refuse(&request, refused)),
    }
}

/// The app in `/webhooks/{app}`, where a slash at the end is tolerated.
fn named(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/webhooks/")?;
    let name = rest.strip_suffix('/').unwrap_or(rest);
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// Why there is no 200.
struct Refused {
    outcome: Outcome,
    why: Option<PublishError>,
}

impl From<Outcome> for Refused {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, why: None }
    }
}

/// Makes a webhook durable: admission, sizes, verification, publishing, in this order.
async fn take(
    receiver: &Receiver,
    app: &App,
    request: &HttpRequest,
    payload: &mut Payload,
) -> Result<(Receipt, Outcome), Refused> {
    let settings = &receiver.settings;
    if request.method() != Method::POST {
        return Err(Outcome::Method.into());
    }
    let mut permit = receiver.admission.admit().ok_or(Outcome::Overloaded)?;
    if head_bytes(request) > settings.header_bytes_max {
        return Err(Outcome::HeadTooLarge.into());
    }
    let headers = request.headers();
    let body = body::read(headers, payload, &mut permit, settings).await?;
    let body_sha256 = BodyHash::of(&body);
    let (verification, received_at) = receiver.verify(app, headers, &body_sha256)?;
    let outcome = match verification {
        Verification::Pending { .. } => Outcome::Pending,
        Verification::Verified { .. } | Verification::Unchecked => Outcome::Accepted,
    };
    let receipt = Receipt::draw();
    let webhook = RawWebhook {
        receipt,
        app: app.name.clone(),
        instance: receiver.books.instance(),
        sequence: 0,
        decided_through: 0,
        received_at,
        verification,
        content_type: passed_on(headers, &CONTENT_TYPE),
        traceparent: passed_on(headers, &TRACEPARENT),
        body_sha256,
        body,
    };
    match tokio::time::timeout(settings.publish_timeout, receiver.publish(webhook, permit)).await {
        Ok(Ok(())) => Ok((receipt, outcome)),
        Ok(Err(error)) => Err(Refused { outcome: (&error).into(), why: Some(error) }),
        Err(_) => {
            let error = PublishError::OutcomeUnknown("it takes longer than `ingress.publish_timeout`".to_owned());
            Err(Refused { outcome: (&error).into(), why: Some(error) })
        }
    }
}

/// The head as it came, near enough: the request line and every header.
fn head_bytes(request: &HttpRequest) -> usize {
    let path = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let line = request.method().as_str().len() + path + " HTTP/1.1".len() + HEADER_OVERHEAD_BYTES;
    let header = |(name, value): (&HeaderName, &actix_web::http::header::HeaderValue)| {
        name.as_str().len() + value.len() + HEADER_OVERHEAD_BYTES
    };
    line + request.headers().iter().map(header).sum::<usize>()
}

fn passed_on(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    (value.len() <= PASSED_ON_BYTES_MAX).then(|| value.to_owned())
}

/// One request, counted exactly once: with its answer, or as abandoned where it never gets one.
struct Visit<'a> {
    receiver: &'a Receiver,
    series: &'a Series,
    begun: Instant,
    ended: bool,
}

impl<'a> Visit<'a> {
    fn begin(receiver: &'a Receiver, series: &'a Series) -> Self {
        Self { receiver, series, begun: Instant::now(), ended: false }
    }

    fn accept(self, receipt: Receipt, outcome: Outcome) -> HttpResponse {
        self.end(outcome, answer::accepted(receipt))
    }

    fn refuse(self, request: &HttpRequest, refused: Refused) -> HttpResponse {
        let Refused { outcome, why } = refused;
        self.series.tell(outcome, why.as_ref(), request.peer_addr(), UtcMicros::now());
        let answer = answer::refused(outcome, &self.receiver.settings).into();
        self.end(outcome, answer)
    }

    fn end(mut self, outcome: Outcome, mut answer: HttpResponse) -> HttpResponse {
        self.ended = true;
        self.series.count(outcome);
        self.receiver.metrics.duration.observe(self.begun.elapsed().as_secs_f64());
        if self.receiver.stop.is_cancelled() {
            answer.head_mut().set_connection_type(ConnectionType::Close);
        }
        answer
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.series.count(Outcome::Abandoned);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn an_app_is_named_by_one_segment() {
        for path in ["/webhooks/demo", "/webhooks/demo/"] {
            assert_eq!(named(path), Some("demo"), "{path}");
        }
        for path in
            ["", "/", "/webhooks", "/webhooks/", "/webhooks//", "/webhooks/demo//", "/webhooks/a/b", "/other/demo"]
        {
            assert_eq!(named(path), None, "{path}");
        }
    }
}
