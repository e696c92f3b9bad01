//! The feed: numbers what the reconciler committed, and hands it to the user's application.
//!
//! [`Numberer`] gives committed events their numbers (R7); [`api`] serves them, and the table of connections, over HTTP.
//! Promises: readers see numbered events only, in the order of their numbers, each exactly once per cursor. Not here: what an
//! event says (`connections`), any SQL (`store`). No request's body is ever read.

pub mod api;
mod metrics;
mod numberer;
mod relay;
mod relay_turn;
mod settings;

pub use metrics::Metrics;
pub use numberer::{Error, Numberer, Step};
pub use relay::{EventSink, NotRelayed, Relay, Relayed};
pub use settings::{RELAY_LEASE_MIN, Settings};
