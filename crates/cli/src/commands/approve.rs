//! `finlinkd connections approve-deletions`: lets deletions proceed that wait because too many came at once (R3).
//!
//! Without `--yes` it only says what it would do. It writes into the store: beside running roles with PostgreSQL, and with the
//! pipeline stopped where the store is in the data folder.

use std::io::Write;

use clap::Args;
use events::AppName;
use serde_json::json;
use store::{Refresh, StoreError};

use super::{finish, stdout};
use crate::exit::Failure;
use crate::output;
use crate::settings::Settings;
use crate::wiring;

/// Options of `connections approve-deletions`.
#[derive(Debug, Clone, Args)]
pub(super) struct Options {
    /// The app whose connections are gone.
    #[arg(long)]
    app: AppName,
    /// Do it; without this, only say what would be done.
    #[arg(long)]
    yes: bool,
    /// JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// Approves, or says what there is to approve.
pub(super) async fn run(settings: &Settings, options: &Options) -> Result<(), Failure> {
    let app = &options.app;
    let (connections, done) = if options.yes {
        let store = wiring::open_store(settings)?;
        let approved = approve(store.refresh().as_ref(), app).await;
        store.close().await;
        (approved?, true)
    } else {
        let store = wiring::look_into_store(settings)?;
        let totals = store.totals(store.time().await?).await?;
        (totals.deletions_held.get(app).copied().unwrap_or(0), false)
    };
    let mut out = stdout();
    if options.json {
        output::json(&mut out, &json!({ "app": app, "connections": connections, "approved": done }))?;
    } else if connections == 0 {
        writeln!(out, "No deletion of {app} waits for an operator.")?;
    } else if done {
        writeln!(out, "The deletions of {app} may proceed: {connections} connections are missing.")?;
    } else {
        writeln!(
            out,
            "Finlink does not know {connections} connections of {app} any more; with --yes they become deleted."
        )?;
    }
    finish(out)
}

/// By the store's clock: the connections are looked at once more when it says so.
async fn approve(store: &dyn Refresh, app: &AppName) -> Result<u64, StoreError> {
    let now = store.time().await?;
    store.approve_deletions(app, now).await
}
