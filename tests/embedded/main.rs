//! The real binary with the embedded engines, told everything by its environment, between a sender and a Finlink that share
//! no code with it. What is expected here stands in the design and in Finlink's documentation, not in the code.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod apps;
mod bodies;
mod explaining;
mod glitches;
mod hints;
mod keys;
mod metrics;
mod overload;
mod politeness;
mod requests;
mod retention;
mod signatures;
mod starts;
mod stopping;
