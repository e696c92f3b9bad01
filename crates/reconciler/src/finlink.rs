//! Finlink's API as a client sees it: requests, politeness, sessions. The only part that knows its paths and field names.
//!
//! Promises: nothing is asked without a [`politeness::Permit`]; no answer is used that was not received and parsed completely; a
//! failure says what to do about it ([`Kind`]). Not here: what is asked when (`reconciler`), and what is kept (`store`).

mod answer;
mod circuit;
mod client;
mod exchange;
mod expiry;
mod failure;
mod logins;
mod politeness;
mod seal;
mod session;

pub(crate) use answer::{Answered, ListElement};
pub(crate) use circuit::Circuit;
pub(crate) use client::{Client, Patience};
pub(crate) use exchange::{Reply, exchange};
pub(crate) use failure::{Failure, Kind};
pub(crate) use logins::{Death, Logins};
pub(crate) use politeness::{backoff, doubled};
pub(crate) use seal::Sealer;
pub(crate) use session::Session;

pub use client::ClientError;

/// What is asked of Finlink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Login,
    List,
    Connection,
    Key,
}

impl Endpoint {
    /// The word in labels and logs.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::List => "list",
            Self::Connection => "connection",
            Self::Key => "key",
        }
    }
}
