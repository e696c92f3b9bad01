//! `cargo xtask bench`: the parts alone and the whole beside them, in one run.

use anyhow::Result;
use clap::Args;

use crate::{command, packages};

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Passed on to the bench, such as a part of a measurement's name.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    passed_on: Vec<String>,
}

/// Builds with optimisation and runs the bench of the `tests` crate.
pub(crate) fn run(options: &Options) -> Result<()> {
    packages::ensure_installed()?;
    command::cargo(&["build", "--release", "--package", "finlinkd"], &[])?;
    let mut arguments = vec!["bench", "--package", "tests", "--features", "servers", "--bench", "pipeline", "--"];
    arguments.extend(options.passed_on.iter().map(String::as_str));
    command::cargo(&arguments, &[])
}
