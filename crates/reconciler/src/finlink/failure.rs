//! Why a question to Finlink was not answered. Each kind is a decision for the one who asked.

use std::fmt;
use std::time::Duration;

use super::Endpoint;

/// A question that was not answered, after all repetitions that are allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) endpoint: Endpoint,
    pub(crate) kind: Kind,
    /// What happened, for a person: never a token, a secret or a body.
    pub(crate) text: String,
    /// The `X-Request-ID` of the last answer.
    pub(crate) request_id: Option<String>,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 401: the session is dead, or (at the login) the credentials are wrong.
    Unauthorized,
    /// 404: there is no such thing, as far as this answer goes.
    NotFound,
    /// Finlink asks to be left alone for so long.
    Busy(Duration),
    /// 5xx, or no complete answer. `reached` is false where the request certainly never arrived.
    Away { reached: bool },
    /// A definite answer that one cannot work with; asking again unchanged would not help.
    Unusable,
    /// This process stops, or lost the lease: nothing was learned.
    Stopped,
}

impl Failure {
    pub(crate) fn new(endpoint: Endpoint, kind: Kind, text: impl Into<String>) -> Self {
        Self { endpoint, kind, text: text.into(), request_id: None }
    }

    pub(crate) fn of_request(mut self, request_id: Option<String>) -> Self {
        self.request_id = request_id;
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.endpoint.word(), self.text)
    }
}
