//! `finlinkd migrate`: brings the store's schema up to date, for installations with `store.migrate = "check"`.

use std::io::Write;

use super::{finish, stdout};
use crate::exit::Failure;
use crate::settings::Settings;
use crate::wiring;

/// Says which store is up to date once it is. A data folder must not be in use; a database may be.
pub(crate) async fn run(settings: &Settings) -> Result<(), Failure> {
    let store = wiring::migrate_store(settings).await?;
    let mut out = stdout();
    writeln!(out, "Up to date: {store}.")?;
    finish(out)
}
