//! The shape of the workspace, as ARCHITECTURE.md states it: which crate may name which, who owns which driver, how a file
//! begins and how long it may get; and that what is deployed speaks of the same things as the program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod composition;
mod dependencies;
mod files;
mod monitoring;
mod releases;
