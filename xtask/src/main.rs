//! `cargo xtask`: what is automated here, the same on a laptop and in CI.
//!
//! It starts cargo and, for the tests' private servers, Debian's package manager. It holds no logic of the project.
#![allow(clippy::print_stdout, reason = "a command-line tool talks to a person")]

mod bench;
mod ci;
mod command;
mod newest;
mod packages;
mod test;

use clap::{Parser, Subcommand};

/// What is automated in finlinkd's workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Installs what the tests need, where it may, and runs every test.
    Test(test::Options),
    /// Formatting, lints, documentation, licences and advisories, then `test`.
    Ci,
    /// Measures the parts alone and the whole beside them.
    Bench(bench::Options),
    /// Writes the JSON Schemas under `schemas/` anew from the types.
    Schemas,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Test(options) => test::run(&options),
        Task::Ci => ci::run(),
        Task::Bench(options) => bench::run(&options),
        Task::Schemas => command::cargo(&["run", "--quiet", "--package", "events", "--example", "write_schemas"], &[]),
    }
}
