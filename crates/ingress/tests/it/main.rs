//! The receiver over real sockets: every answer with its counter, the books, the stop, the bounds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

mod answers;
mod bodies;
mod bounds;
mod harness;
mod keys;
mod load;
mod raw;
mod scripted;
mod signatures;
#[path = "../../../verification/tests/it/signer.rs"]
mod signer;
mod stopping;
