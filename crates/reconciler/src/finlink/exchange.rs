//! One request and its whole answer: bounded in bytes, and an answer that is cut is none.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Request, Response};
use tokio::time::Instant;

/// The longest ids and traces that are kept of an answer's headers.
const HEADER_CHARS_MAX: usize = 100;

/// A complete answer, whatever its status.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) request_id: Option<String>,
    pub(crate) trace_id: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Vec<u8>,
    pub(crate) took: Duration,
}

/// No complete answer.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(crate) struct NoAnswer {
    why: Why,
    pub(crate) request_id: Option<String>,
    pub(crate) took: Duration,
}

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("no connection: {0}")]
    Unreachable(String),
    #[error("no complete answer in time")]
    Timeout,
    #[error("the answer was cut: {0}")]
    Cut(String),
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
}

impl NoAnswer {
    /// The word in labels.
    pub(crate) fn word(&self) -> &'static str {
        match self.why {
            Why::Unreachable(_) => "unreachable",
            Why::Timeout => "timeout",
            Why::Cut(_) => "cut",
            Why::TooLong(_) => "too_long",
        }
    }

    /// Whether the request may have arrived.
    pub(crate) fn reached(&self) -> bool {
        !matches!(self.why, Why::Unreachable(_))
    }

    /// Whether the answer is one that will not fit the next time either.
    pub(crate) fn too_long(&self) -> bool {
        matches!(self.why, Why::TooLong(_))
    }
}

/// Sends `request` and reads its answer to the end, `bytes_max` at most.
pub(crate) async fn exchange(http: &reqwest::Client, request: Request, bytes_max: usize) -> Result<Reply, NoAnswer> {
    let started = Instant::now();
    let mut request_id = None;
    let read = async {
        let response = http.execute(request).await.map_err(|error| why(&error))?;
        request_id = text(response.headers(), "x-request-id");
        reply(response, bytes_max).await
    };
    let read = read.await;
    let took = started.elapsed();
    match read {
        Ok(reply) => Ok(Reply { request_id, took, ..reply }),
        Err(why) => Err(NoAnswer { why, request_id, took }),
    }
}

async fn reply(mut response: Response, bytes_max: usize) -> Result<Reply, Why> {
    let status = response.status().as_u16();
    let trace_id = text(response.headers(), "x-client-trace-id");
    let retry_after = text(response.headers(), "retry-after").and_then(|value| retry_after(&value));
    if response.content_length().is_some_and(|length| length > bytes_max as u64) {
        return Err(Why::TooLong(bytes_max));
    }
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| why(&error))? {
        if body.len() + part.len() > bytes_max {
            return Err(Why::TooLong(bytes_max));
        }
        body.extend_from_slice(&part);
    }
    Ok(Reply { status, request_id: None, trace_id, retry_after, body, took: Duration::ZERO })
}

/// The whole chain of an error: reqwest's own text names only the outermost.
fn why(error: &reqwest::Error) -> Why {
    let mut chain = Vec::new();
    let mut next: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(cause) = next {
        chain.push(cause.to_string());
        next = cause.source();
    }
    let chain = if chain.is_empty() { "unknown".to_owned() } else { chain.join(": ") };
    match error {
        error if error.is_connect() => Why::Unreachable(chain),
        error if error.is_timeout() => Why::Timeout,
        _ => Why::Cut(chain),
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.chars().take(HEADER_CHARS_MAX).collect())
}

/// `Retry-After` in seconds. Its other form, a date, is not read: it needs Finlink's clock to be ours, and our own waits are
/// long enough without it.
fn retry_after(value: &str) -> Option<Duration> {
    value.trim().parse().ok().map(Duration::from_secs)
}
