//! The shapes that cross a boundary: what they take, what they refuse, and how they are written.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking, as tests do")]

mod body;
mod cloud_events;
mod hashes;
mod names;
mod schemas;
mod status;
mod times;
mod webhook;
