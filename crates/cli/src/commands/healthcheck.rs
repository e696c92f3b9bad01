//! `finlinkd healthcheck`: whether the process with these settings is ready. Made for containers: needs no other program.

use std::io::Write;
use std::time::Duration;

use super::{finish, stdout};
use crate::ask;
use crate::exit::Failure;
use crate::output::clean;
use crate::settings::Settings;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks `/readyz` of the admin listener and prints what it says. Fails unless it says 200.
pub(crate) async fn run(settings: &Settings) -> Result<(), Failure> {
    let answer = ask::get(settings.admin_listen, "/readyz", None, TIMEOUT)
        .await
        .map_err(|error| anyhow::anyhow!("not ready: {error} (admin_listen)"))?;
    let mut out = stdout();
    writeln!(out, "{}", clean(String::from_utf8_lossy(&answer.body).trim()))?;
    finish(out)?;
    if answer.status == 200 { Ok(()) } else { Err(Failure::Negative) }
}
