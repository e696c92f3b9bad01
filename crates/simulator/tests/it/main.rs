//! The simulator over real sockets, asked by clients and heard by a receiver that this folder holds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests state what must hold")]

mod api;
mod caller;
mod faults;
mod keys;
mod receiver;
mod sender;
