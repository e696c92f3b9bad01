//! `finlinkd check-config`: the effective settings, secrets masked, and everything that is wrong with them.

use std::io::Write;

use clap::Args;

use super::{finish, stdout};
use crate::exit::Failure;
use crate::output;
use crate::settings::{Problems, Role, Sources, load};

/// Options of `check-config`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// JSON instead of TOML.
    #[arg(long)]
    json: bool,
}

/// Prints what `finlinkd run` would use. Exits with 64 where it would not start.
pub(crate) fn run(sources: &Sources, options: &Options) -> Result<(), Failure> {
    let settings = load(sources)?;
    let mut out = stdout();
    if options.json {
        output::json(&mut out, &settings.to_masked_json())?;
    } else {
        out.write_all(settings.to_masked_toml().map_err(anyhow::Error::from)?.as_bytes())?;
    }
    finish(out)?;
    let problems = settings.problems_for(Role::Run);
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems).into()) }
}
