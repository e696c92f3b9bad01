//! `finlinkd migrate`: brings the schemas in the data folder up to date, for installations with `store.migrate = "check"`.

use std::io::Write;

use super::{finish, stdout};
use crate::exit::Failure;
use crate::settings::Settings;
use crate::wiring;

/// Opens the store as `run` would, migrating whatever the settings say, and closes it. The folder must not be in use.
pub(crate) async fn run(settings: &Settings) -> Result<(), Failure> {
    let mut settings = settings.clone();
    settings.store.migrate = store::MigrateMode::Auto;
    let store = wiring::open_store(&settings)?;
    store.close().await;
    let mut out = stdout();
    writeln!(out, "The store in {} is up to date.", settings.data_dir.display())?;
    finish(out)
}
