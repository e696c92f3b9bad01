//! `finlinkd gaps`: changes that a read found and that no webhook had told of. Each was healed by the read that found it.

use std::io::Write;

use clap::{Args, Subcommand};
use events::{AppName, UtcMicros};
use serde_json::json;
use store::{GapFilter, GapRow, Totals};

use super::{ListArgs, ShowArgs, finish, stdout};
use crate::exit::Failure;
use crate::output::{self, Listing, Row, or_dash};
use crate::settings::Settings;
use crate::wiring;

/// Options of `gaps`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Options {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Lists gaps, newest first.
    List(List),
    /// Sums them up by app and kind.
    Report(ShowArgs),
}

#[derive(Debug, Clone, Args)]
struct List {
    /// Of this app only.
    #[arg(long)]
    app: Option<AppName>,
    /// Only those whose webhook may still come.
    #[arg(long, conflicts_with = "closed")]
    open: bool,
    /// Only those that are settled.
    #[arg(long)]
    closed: bool,
    /// Found at this time or later, such as 2026-01-31T08:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<UtcMicros>,
    #[command(flatten)]
    form: ListArgs,
}

/// Does what was asked for.
pub(crate) async fn run(settings: &Settings, options: &Options) -> Result<(), Failure> {
    match &options.action {
        None => list(settings, &options.list).await,
        Some(Action::List(wanted)) => list(settings, wanted).await,
        Some(Action::Report(form)) => report(settings, form).await,
    }
}

async fn list(settings: &Settings, wanted: &List) -> Result<(), Failure> {
    let store = wiring::look_into_store(settings)?;
    let filter = GapFilter {
        app: wanted.app.clone(),
        open: match (wanted.open, wanted.closed) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        },
        since: wanted.since,
        limit: wanted.form.limit(),
    };
    let mut listing = Listing::start(stdout(), wanted.form.json);
    listing.page(&store.gaps(&filter).await?)?;
    let rows = listing.rows();
    listing.end("No gap fits: a change that no webhook told of would be listed here.")?;
    wanted.form.mention_limit(rows);
    Ok(())
}

async fn report(settings: &Settings, form: &ShowArgs) -> Result<(), Failure> {
    let store = wiring::look_into_store(settings)?;
    let totals = store.totals(store.time().await?).await?;
    let (total, open, late) = (sum(&totals), totals.gaps_open, totals.gaps_late);
    let mut out = stdout();
    if form.json {
        output::json(&mut out, &json!({ "gaps": totals.gaps, "total": total, "open": open, "late": late }))?;
    } else {
        writeln!(
            out,
            "Reads found {total} changes that no webhook had told of; the webhook of {late} may have come late after all, \
             that of {open} still may come."
        )?;
        for (app, kinds) in &totals.gaps {
            let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
            writeln!(out, "  {app}  {}", kinds.join(", "))?;
        }
    }
    finish(out)
}

/// All gaps of all apps.
pub(super) fn sum(totals: &Totals) -> u64 {
    totals.gaps.values().flat_map(|kinds| kinds.values()).sum()
}

impl Row for GapRow {
    const HEADINGS: &'static [&'static str] = &["ID", "FOUND AT", "APP", "TOKEN", "KIND", "CLOSED AT", "OUTCOME"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.found_at.to_string(),
            self.app.to_string(),
            self.token.to_string(),
            self.kind.clone(),
            or_dash(self.closed_at.as_ref()),
            or_dash(self.outcome.as_ref()),
        ]
    }
}
