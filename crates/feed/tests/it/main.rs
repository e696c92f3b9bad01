//! The feed and the user's API over real sockets, on a real store.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its scenery too")]

mod connections_api;
mod events_api;
mod gone;
mod numbering;
mod outage;
mod relaying;
mod requests;
mod scene;
mod served;
mod sse;
mod standing_by;
mod streams;
