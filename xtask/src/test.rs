//! `cargo xtask test`: the README's second command.

use anyhow::Result;
use clap::Args;

use crate::{command, packages};

/// What to test.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Passed on to `cargo test`, such as a part of a test's name.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    passed_on: Vec<String>,
}

/// Installs what is missing, where it may, and runs every test of the workspace.
pub(crate) fn run(options: &Options) -> Result<()> {
    packages::ensure_installed()?;
    let mut arguments = vec!["test", "--workspace", "--features", "tests/servers"];
    arguments.extend(options.passed_on.iter().map(String::as_str));
    command::cargo(&arguments, &[])
}
