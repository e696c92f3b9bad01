//! An error as a client sees it: `application/problem+json` (RFC 9457).

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, Responder, ResponseError};
use serde::Serialize;

/// An error answer. Its texts go to the client: no secret, nothing of the request's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    title: &'static str,
    detail: Cow<'static, str>,
    retry_after: Option<Duration>,
    allow: Option<&'static str>,
    challenge: Option<&'static str>,
    close: bool,
}

/// The body. `type` is left out: that means `about:blank`, the status says it all.
#[derive(Serialize)]
struct Body<'a> {
    title: &'a str,
    status: u16,
    detail: &'a str,
}

impl Problem {
    /// `title` names the kind of error, always the same for it; `detail` says what was expected and what to do.
    pub fn new(status: StatusCode, title: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, title, detail: detail.into(), retry_after: None, allow: None, challenge: None, close: false }
    }

    /// Adds `Retry-After`, in whole seconds, at least 1.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Adds `Allow`, as 405 demands it: the methods, comma-separated.
    #[must_use]
    pub fn allow(mut self, methods: &'static str) -> Self {
        self.allow = Some(methods);
        self
    }

    /// Adds `WWW-Authenticate`, as 401 demands it.
    #[must_use]
    pub fn challenge(mut self, scheme: &'static str) -> Self {
        self.challenge = Some(scheme);
        self
    }

    /// Closes the connection after the answer.
    #[must_use]
    pub fn close(mut self) -> Self {
        self.close = true;
        self
    }

    /// The status it answers with.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status.as_u16(), self.title, self.detail)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut answer = HttpResponse::build(self.status);
        if let Some(after) = self.retry_after {
            let seconds = after.as_millis().div_ceil(1000).max(1);
            answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        if let Some(methods) = self.allow {
            answer.insert_header((header::ALLOW, methods));
        }
        if let Some(scheme) = self.challenge {
            answer.insert_header((header::WWW_AUTHENTICATE, scheme));
        }
        if self.close {
            answer.force_close();
        }
        let body = Body { title: self.title, status: self.status.as_u16(), detail: &self.detail };
        // Two strings and a number always serialise.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        answer.insert_header((header::CONTENT_TYPE, "application/problem+json")).body(body)
    }
}

impl Responder for Problem {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse<BoxBody> {
        self.error_response()
    }
}

impl From<Problem> for HttpResponse {
    fn from(problem: Problem) -> Self {
        problem.error_response()
    }
}
