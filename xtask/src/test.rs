//! `cargo xtask test`: the README's second command.
//!
//! Every test runs on the packages of this machine; then those that break servers run once more, on the newest release of
//! RabbitMQ and PostgreSQL. Where that is not to be had, one line says so.

use std::path::Path;

use anyhow::Result;
use clap::Args;

use crate::{command, newest, packages};

/// What to test.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Only on the newest release of RabbitMQ and PostgreSQL, instead of on this machine's packages.
    #[arg(long)]
    newest: bool,
    /// Passed on to `cargo test`, such as a part of a test's name; then only what it names runs, once.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    passed_on: Vec<String>,
}

const TESTS: &[&str] = &["test", "--workspace", "--features", "tests/servers"];
/// The tests that run on the newest release as well: of the engines alone, and of what is killed, frozen or cut off below the
/// roles. What the others show does not depend on the servers.
const ON_THE_NEWEST: &[&str] = &[
    "--test",
    "clustered",
    "--test",
    "scenarios",
    "--",
    "servers::",
    "broker::",
    "database::",
    "pipeline::broker_away::",
    "pipeline::database_late::",
    "pipeline::full_disk::",
    "pipeline::hung_up::",
    "pipeline::memory::",
    "pipeline::relay::",
    "pipeline::set_aside::",
    "pipeline::strangers::",
    // Every scenario, on the pair of engines that are servers.
    "::clustered",
];

/// Installs what is missing, where it may, and runs every test of the workspace.
pub(crate) fn run(options: &Options) -> Result<()> {
    packages::ensure_installed()?;
    let chosen: Vec<&str> = options.passed_on.iter().map(String::as_str).collect();
    if options.newest {
        return run_on(&newest::root()?, if chosen.is_empty() { ON_THE_NEWEST } else { &chosen });
    }
    command::cargo(&[TESTS, &chosen].concat(), &[])?;
    if !chosen.is_empty() {
        return Ok(());
    }
    match newest::root() {
        Ok(root) => run_on(&root, ON_THE_NEWEST),
        Err(why) => {
            println!("not covered in this run: RabbitMQ 4 and PostgreSQL 17, killed, frozen and cut off: {why:#}");
            Ok(())
        }
    }
}

fn run_on(root: &Path, tests: &[&str]) -> Result<()> {
    println!("on the servers of {}:", root.display());
    command::cargo(&[TESTS, tests].concat(), &[(newest::VARIABLE, &root.to_string_lossy())])
}
