//! The real binary: its help, its exit codes, its output, the demo, and a pipeline that is started, asked and stopped.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod dead_letters;
mod demo;
mod folder;
mod help;
mod ledger;
mod migrate;
mod pipeline;
mod process;
mod rebuild;
mod replay;
mod shapes;
mod sigkill;
mod wrong_starts;
