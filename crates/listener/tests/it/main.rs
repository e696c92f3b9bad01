//! The listener over real sockets.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod bearer;
mod binding;
mod raw;
mod serving;
