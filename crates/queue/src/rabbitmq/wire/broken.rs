//! Why a connection cannot be used, or not any more.

use std::io;

use amq_protocol::types::ShortString;

/// What was wrong. Everything on the connection that was not confirmed has an unknown outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(in crate::rabbitmq) struct Broken {
    /// The broker's reply code, where it said why.
    pub(in crate::rabbitmq) code: Option<u16>,
    pub(in crate::rabbitmq) text: String,
}

impl Broken {
    pub(in crate::rabbitmq) fn because(text: impl Into<String>) -> Self {
        Self { code: None, text: text.into() }
    }

    /// The broker closed the connection, or its channel, and said why.
    pub(super) fn closed(what: &str, code: u16, text: &ShortString) -> Self {
        Self { code: Some(code), text: format!("the broker closed the {what}: {code} {text}") }
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::because(error.to_string())
    }
}
