//! The consumer between a scripted queue and a scripted store, and between the real ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, in its fakes too"
)]

mod envelope;
mod fakes;
mod isolation;
mod outage;
mod pipeline;
