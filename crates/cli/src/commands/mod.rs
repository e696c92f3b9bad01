//! The commands that look: a file each. Listings read the data folder beside a running pipeline and never write to it.

mod approve;
pub(crate) mod check_config;
pub(crate) mod connections;
pub(crate) mod dead_letters;
pub(crate) mod demo;
pub(crate) mod events;
mod explain;
pub(crate) mod gaps;
pub(crate) mod healthcheck;
pub(crate) mod ledger;
pub(crate) mod migrate;
mod own;
pub(crate) mod rebuild;
mod refresh;
pub(crate) mod schema;
pub(crate) mod simulate;
mod simulation;
pub(crate) mod status;
pub(crate) mod webhooks;

use std::io::{BufWriter, StdoutLock, Write};
use std::time::Duration;

use ::events::{AppName, ConnectionToken, UtcMicros};
use clap::Args;
use store::StoreError;

use crate::exit::Failure;
use crate::output::{Listing, Row};
use own::own;

/// Rows fetched at one time, so that a listing of any length needs little memory.
const PAGE_ROWS: usize = 1000;

/// How many rows are wanted, and in which form.
#[derive(Debug, Clone, Args)]
pub(crate) struct ListArgs {
    /// At most so many rows.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
    /// All rows.
    #[arg(long, conflicts_with = "limit")]
    pub all: bool,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

impl ListArgs {
    /// Lists page after page; says `none` where there is no row. `page` answers at most so many rows, those after the one given.
    async fn list<R: Row>(
        &self,
        none: &str,
        mut page: impl AsyncFnMut(usize, Option<&R>) -> Result<Vec<R>, StoreError>,
    ) -> Result<(), Failure> {
        let mut listing = Listing::start(stdout(), self.json);
        let mut last = None;
        while let Some(rows) = self.next_page(listing.rows()) {
            let mut page = page(rows, last.as_ref()).await?;
            listing.page(&page)?;
            if page.len() < rows {
                break;
            }
            last = page.pop();
        }
        let rows = listing.rows();
        listing.end(none)?;
        self.mention_limit(rows);
        Ok(())
    }

    /// How many rows to ask for next, where `so_far` were written; `None`: enough.
    fn next_page(&self, so_far: usize) -> Option<usize> {
        if self.all {
            return Some(PAGE_ROWS);
        }
        Some(self.limit.saturating_sub(so_far).min(PAGE_ROWS)).filter(|rows| *rows > 0)
    }

    /// Says that there may be more, where as many rows as allowed were written. Not on standard output: a program reads that.
    fn mention_limit(&self, rows: usize) {
        if !self.all && !self.json && rows > 0 && rows == self.limit {
            // Only a courtesy: whoever closed standard error does without.
            drop(writeln!(std::io::stderr(), "{rows} rows are shown; --all shows every one, --limit N more or fewer."));
        }
    }

    /// The limit for a listing that comes in one piece.
    fn limit(&self) -> Option<usize> {
        (!self.all).then_some(self.limit)
    }
}

/// One thing, in which form.
#[derive(Debug, Clone, Args)]
pub(crate) struct ShowArgs {
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Standard output, buffered.
fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::new(std::io::stdout().lock())
}

/// Flushes, so that a closed pipe is noticed.
fn finish(mut out: impl Write) -> Result<(), Failure> {
    out.flush().map_err(Failure::from)
}

/// A duration in words, such as `2m 30s`.
fn words(duration: Duration) -> String {
    let whole = if duration < Duration::from_secs(1) {
        Duration::from_millis(duration.as_millis() as u64)
    } else {
        Duration::from_secs(duration.as_secs())
    };
    humantime_serde::re::humantime::format_duration(whole).to_string()
}

/// A time with its distance from now, such as `2026-01-31T08:00:00.000000Z (in 2m 30s)`.
fn moment(at: UtcMicros, now: UtcMicros) -> String {
    if at > now {
        format!("{at} (in {})", words(at.since(now)))
    } else {
        format!("{at} ({} ago)", words(now.since(at)))
    }
}

/// A body for people and programs: text where it is UTF-8, else hexadecimal digits.
fn readable(body: &[u8]) -> (&'static str, String) {
    match std::str::from_utf8(body) {
        Ok(text) => ("body", text.to_owned()),
        Err(_) => ("body_hex", body.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()),
    }
}

/// Chooses the app that a connection belongs to: the one asked for, or the only one.
fn only_app(asked: Option<&AppName>, found: &[AppName], token: &ConnectionToken) -> Result<AppName, Failure> {
    match (asked, found) {
        (Some(app), _) | (None, [app]) => Ok(app.clone()),
        (None, []) => Err(Failure::Runtime(anyhow::anyhow!("no connection {token} is known, and no app either"))),
        (None, several) => Err(several_apps(several, token)),
    }
}

fn several_apps(apps: &[AppName], token: &ConnectionToken) -> Failure {
    let names: Vec<&str> = apps.iter().map(AppName::as_str).collect();
    Failure::Usage(format!("{token} may belong to several apps; say which with --app: {}", names.join(", ")))
}
