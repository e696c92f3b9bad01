//! The table of answers: what the sender hears for each outcome.

use std::fmt::Write;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use events::Receipt;
use listener::Problem;

use crate::{Outcome, Settings};

/// The answer to a webhook that is durable.
pub(crate) fn accepted(receipt: Receipt) -> HttpResponse {
    const ANSWER_BYTES: usize = 76;
    let mut body = String::with_capacity(ANSWER_BYTES);
    // Writing to a string cannot fail.
    let _ = write!(body, r#"{{"status":"accepted","receipt":"{receipt}"}}"#);
    HttpResponse::Ok().insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json"))).body(body)
}

/// The answer to one that is not.
pub(crate) fn refused(outcome: Outcome, settings: &Settings) -> Problem {
    let again = |problem: Problem| problem.retry_after(settings.retry_after);
    match outcome {
        Outcome::UnknownApp => Problem::new(StatusCode::NOT_FOUND, "Not found", "no app of this name is set up here"),
        Outcome::UnknownPath => Problem::new(StatusCode::NOT_FOUND, "Not found", "webhooks go to /webhooks/{app}"),
        Outcome::Method => {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", "send webhooks with POST").allow("POST")
        }
        Outcome::HeadTooLarge => too_large("head", settings.header_bytes_max),
        Outcome::BodyTooLarge => too_large("body", settings.body_bytes_max),
        Outcome::BodySlow | Outcome::BodyBroken | Outcome::Abandoned => {
            Problem::new(StatusCode::REQUEST_TIMEOUT, "Request timeout", "the body did not arrive whole and in time")
                .close()
        }
        Outcome::SignatureMissing => unauthorized("the webhook carries no signature"),
        Outcome::SignatureRepeated => unauthorized("the webhook carries more than one signature"),
        Outcome::Signature(refusal) => unauthorized(refusal.to_string()),
        Outcome::UnknownKeys | Outcome::PendingRate => again(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many requests",
            "too many webhooks are signed with keys that are not known yet",
        )),
        Outcome::Overloaded => unavailable("too much is in flight", settings),
        // Ours alone, all of them; the sender has to know only that nothing is promised. `Accepted` and `Pending` have an
        // answer of their own: here they would mean that a receipt is missing.
        Outcome::QueueFull
        | Outcome::QueueUnavailable
        | Outcome::QueueRefused
        | Outcome::QueueUnknown
        | Outcome::Accepted
        | Outcome::Pending => unavailable("the webhook cannot be kept safe just now", settings),
    }
}

fn too_large(what: &'static str, bytes_max: usize) -> Problem {
    let detail = format!("the {what} is larger than {bytes_max} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "Content too large", detail).close()
}

fn unauthorized(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    // RFC 9110 wants a challenge with every 401; there is no scheme for a signature, so this one is ours.
    Problem::new(StatusCode::UNAUTHORIZED, "Unauthorized", detail).challenge("Vumi-Verification")
}

fn unavailable(detail: &'static str, settings: &Settings) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Service unavailable", detail).retry_after(settings.retry_after)
}
