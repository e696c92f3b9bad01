//! Asks Finlink: the four questions, each repeated as politeness allows, each failure named.
//!
//! Promises: every request takes a permit, and every question has a deadline, its repetitions included; 5xx and missing
//! answers are repeated with growing waits, a login and any other status never; `Retry-After` is honoured. It holds no session and no state besides the permits.

use std::sync::Arc;
use std::time::Duration;

use events::{ConnectionStatus, ConnectionToken};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{RequestBuilder, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::exchange::{NoAnswer, Reply, exchange};
use super::politeness::{Permit, Politeness, backoff};
use super::{Answered, Endpoint, Failure, Kind, ListElement, Session, answer};
use crate::Settings;
use crate::metrics::AppMetrics;

/// Why there is no client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The base URL is none.
    #[error("upstream.base_url {0:?}: expected an http or https URL with a host, like https://api.finlink.vumi.io")]
    BaseUrl(String),
    /// TLS could not be set up.
    #[error("the HTTP client for Finlink cannot be set up: {0}")]
    SetUp(String),
}

/// How long one waits for an answer, and until when it is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    /// Cancelled when this process stops or may not talk any more.
    pub(crate) stop: CancellationToken,
    /// Repetitions of one request.
    pub(crate) retries: u32,
}

/// A client for one app. Cheap to clone; clones share the permits.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    permits: Arc<Politeness>,
    settings: Arc<Settings>,
    metrics: AppMetrics,
}

impl Client {
    pub(crate) fn new(settings: Arc<Settings>, metrics: AppMetrics) -> Result<Self, ClientError> {
        let base = base(&settings.base_url).ok_or_else(|| ClientError::BaseUrl(settings.base_url.clone()))?;
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("finlinkd/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(settings.connect_timeout)
            .read_timeout(settings.read_timeout);
        if base.host_str().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]")) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| ClientError::SetUp(format!("{error:?}")))?;
        let permits = Arc::new(Politeness::new(settings.max_requests_per_second));
        Ok(Self { http, base, permits, settings, metrics })
    }

    /// Waits for the right to send one request; `None` when it is not wanted any more.
    pub(crate) async fn permit(&self, patience: &Patience) -> Option<Permit> {
        tokio::select! {
            biased;
            () = patience.stop.cancelled() => None,
            permit = self.permits.permit() => Some(permit),
        }
    }

    /// Opens a session, with scope `read` only. Sent once: the answer to a login that seems lost may have revoked the
    /// session before.
    pub(crate) async fn login(
        &self,
        permit: Permit,
        patience: &Patience,
        client_id: &str,
        secret: &SecretString,
    ) -> Result<Answered<SecretString>, Failure> {
        let body = json!({ "clientId": client_id, "clientSecret": secret.expose_secret(), "scopes": ["read"] });
        let request = self.http.post(self.url("auth/login")).json(&body);
        let once = Patience { retries: 0, ..patience.clone() };
        let reply = self.ask(Endpoint::Login, permit, &once, request, self.single()).await?;
        parsed(Endpoint::Login, reply, answer::login)
    }

    /// All connections of the app.
    pub(crate) async fn list(
        &self,
        permit: Permit,
        patience: &Patience,
        session: &Session,
    ) -> Result<Answered<Vec<ListElement>>, Failure> {
        let bounds = Bounds { bytes: self.settings.list_bytes_max, time: self.settings.list_timeout };
        let request = self.get("queries/connections", session)?;
        let reply = self.ask(Endpoint::List, permit, patience, request, bounds).await?;
        // A long list takes a while to parse, and a worker thread has other tasks.
        let parsing = tokio::task::spawn_blocking(move || parsed(Endpoint::List, reply, answer::list));
        parsing.await.unwrap_or_else(|error| Err(Failure::new(Endpoint::List, Kind::Stopped, error.to_string())))
    }

    /// One connection.
    pub(crate) async fn connection(
        &self,
        permit: Permit,
        patience: &Patience,
        session: &Session,
        token: &ConnectionToken,
    ) -> Result<Answered<(ConnectionStatus, Value)>, Failure> {
        let request = self.get(&format!("queries/connections/{token}"), session)?;
        let reply = self.ask(Endpoint::Connection, permit, patience, request, self.single()).await?;
        parsed(Endpoint::Connection, reply, |body| {
            let (status, raw) = answer::status(body).map_err(|error| error.to_string())?;
            if status.credentials_token == *token {
                Ok((status, raw))
            } else {
                Err("it is about another connection".to_owned())
            }
        })
    }

    /// The JWK of a verification key.
    pub(crate) async fn key(
        &self,
        permit: Permit,
        patience: &Patience,
        session: &Session,
        kid: Uuid,
    ) -> Result<Answered<Value>, Failure> {
        let request = self.get(&format!("webhook_verification/{kid}"), session)?;
        let reply = self.ask(Endpoint::Key, permit, patience, request, self.single()).await?;
        parsed(Endpoint::Key, reply, answer::key)
    }

    /// Sends a request, and again as far as its failure and `patience` allow.
    async fn ask(
        &self,
        endpoint: Endpoint,
        permit: Permit,
        patience: &Patience,
        request: RequestBuilder,
        bounds: Bounds,
    ) -> Result<Reply, Failure> {
        let request = request
            .header("x-client-trace-id", Uuid::new_v4().to_string())
            .build()
            .map_err(|error| Failure::new(endpoint, Kind::Unusable, error.to_string()))?;
        let deadline = Instant::now() + bounds.time;
        let mut permit = Some(permit);
        let mut repeated = 0;
        loop {
            let Some(mut attempt) = request.try_clone() else {
                return Err(Failure::new(endpoint, Kind::Unusable, "the request cannot be repeated"));
            };
            if permit.take().is_none() && self.permit(patience).await.is_none() {
                return Err(stopped(endpoint));
            }
            *attempt.timeout_mut() = Some(deadline.saturating_duration_since(Instant::now()));
            let sent = tokio::select! {
                biased;
                () = patience.stop.cancelled() => return Err(stopped(endpoint)),
                sent = exchange(&self.http, attempt, bounds.bytes) => sent,
            };
            let failure = match self.judge(endpoint, sent) {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            let wait = backoff(self.settings.retry_wait, self.settings.retry_wait_max, repeated).max(failure.wait);
            let too_long = wait > self.settings.retry_wait_max.mul_f64(1.2) || Instant::now() + wait >= deadline;
            if !failure.repeatable || repeated == patience.retries || too_long {
                return Err(failure.final_word());
            }
            repeated += 1;
            tokio::select! {
                biased;
                () = patience.stop.cancelled() => return Err(stopped(endpoint)),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// What an attempt means, counted and logged.
    fn judge(&self, endpoint: Endpoint, sent: Result<Reply, NoAnswer>) -> Result<Reply, Attempt> {
        let reply = match sent {
            Ok(reply) => reply,
            Err(no_answer) => {
                self.metrics.asked(endpoint, no_answer.word(), no_answer.took);
                tracing::debug!(endpoint = endpoint.word(), error = %no_answer, "no answer from Finlink");
                let kind =
                    if no_answer.too_long() { Kind::Unusable } else { Kind::Away { reached: no_answer.reached() } };
                let failure = Failure::new(endpoint, kind, no_answer.to_string()).of_request(no_answer.request_id);
                return Err(Attempt { failure, repeatable: kind != Kind::Unusable, wait: Duration::ZERO });
            }
        };
        self.metrics.asked(endpoint, status_label(reply.status), reply.took);
        tracing::debug!(
            endpoint = endpoint.word(),
            status = reply.status,
            upstream.request_id = reply.request_id.as_deref(),
            upstream.trace_id = reply.trace_id,
            duration_ms = reply.took.as_millis() as u64,
            "Finlink answered"
        );
        let wait = reply.retry_after.unwrap_or_default().min(self.settings.retry_after_max);
        let (kind, repeatable) = match reply.status {
            // A server may well say that a session was created; what counts is whether the body can be used.
            200 | 201 => return Ok(reply),
            401 => (Kind::Unauthorized, false),
            404 => (Kind::NotFound, false),
            429 => (Kind::Busy(wait.max(self.settings.outage_pause)), false),
            500..=599 => (Kind::Away { reached: true }, true),
            _ => (Kind::Unusable, false),
        };
        let failure = Failure::new(endpoint, kind, format!("status {}", reply.status)).of_request(reply.request_id);
        Err(Attempt { failure, repeatable, wait })
    }

    fn get(&self, path: &str, session: &Session) -> Result<RequestBuilder, Failure> {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", session.token.expose_secret()))
            .map_err(|_| Failure::new(Endpoint::Login, Kind::Unauthorized, "the session's token fits no header"))?;
        bearer.set_sensitive(true);
        Ok(self.http.get(self.url(path)).header(AUTHORIZATION, bearer))
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/api/v1/{path}", self.base.path().trim_end_matches('/')));
        url
    }

    fn single(&self) -> Bounds {
        Bounds { bytes: self.settings.answer_bytes_max, time: self.settings.answer_timeout }
    }
}

/// One attempt that failed.
struct Attempt {
    failure: Failure,
    repeatable: bool,
    /// Finlink asked for so long a wait.
    wait: Duration,
}

impl Attempt {
    /// The failure of the last attempt: one that asked for a longer wait than one waits here pauses the app.
    fn final_word(self) -> Failure {
        let Self { mut failure, wait, .. } = self;
        if matches!(failure.kind, Kind::Away { .. }) && !wait.is_zero() {
            failure.kind = Kind::Busy(wait);
        }
        failure
    }
}

#[derive(Clone, Copy)]
struct Bounds {
    bytes: usize,
    time: Duration,
}

fn base(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let fits = matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none();
    fits.then_some(url)
}

fn parsed<T>(
    endpoint: Endpoint,
    reply: Reply,
    read: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Result<Answered<T>, Failure> {
    let Reply { body, request_id, took, .. } = reply;
    match read(&body) {
        Ok(value) => Ok(Answered { value, request_id, took }),
        Err(why) => {
            Err(Failure::new(endpoint, Kind::Unusable, format!("the answer cannot be used: {why}"))
                .of_request(request_id))
        }
    }
}

fn stopped(endpoint: Endpoint) -> Failure {
    Failure::new(endpoint, Kind::Stopped, "given up: this process does not talk to Finlink any more")
}

/// The label of a status: bounded, whatever comes.
fn status_label(status: u16) -> &'static str {
    match status {
        200 => "200",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        408 => "408",
        429 => "429",
        500 => "500",
        502 => "502",
        503 => "503",
        504 => "504",
        100..=199 => "1xx",
        201..=299 => "2xx",
        300..=399 => "3xx",
        402..=499 => "4xx",
        _ => "5xx",
    }
}
