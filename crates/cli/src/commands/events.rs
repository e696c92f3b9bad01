//! `finlinkd events`: the feed as it stands in the store, and as it grows.

use std::collections::VecDeque;
use std::io::Write;
use std::time::Duration;

use ::events::{AppName, ConnectionToken};
use clap::{Args, Subcommand};
use serde_json::Value;
use store::{Cursor, Feed, FeedEntry, FeedFilter};

use super::{ListArgs, PAGE_ROWS, finish, stdout};
use crate::exit::Failure;
use crate::output::clean;
use crate::settings::Settings;
use crate::wiring;

/// How often the store is looked at for more, with `--follow`.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Options of `events`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Shows the newest events, or those after a number.
    Tail(Tail),
}

#[derive(Debug, Clone, Args)]
struct Tail {
    /// Only events after this number; 0 is the beginning. An error where some of them are purged already.
    #[arg(long, value_name = "NUMBER")]
    after: Option<u64>,
    /// Goes on with new ones until Ctrl-C; with --json one event a line.
    #[arg(long)]
    follow: bool,
    /// Of this app only.
    #[arg(long)]
    app: Option<AppName>,
    /// Of this connection only.
    #[arg(long)]
    token: Option<ConnectionToken>,
    #[command(flatten)]
    form: ListArgs,
}

/// Does what was asked for.
pub(crate) async fn run(settings: &Settings, options: &Options) -> Result<(), Failure> {
    let Action::Tail(wanted) = &options.action;
    let feed = wiring::look_into_feed(settings)?;
    let filter = FeedFilter { app: wanted.app.clone(), token: wanted.token.clone() };
    let mut printer = Printer::start(stdout(), wanted);
    let mut cursor = start(feed.as_ref(), &filter, wanted).await?;
    loop {
        let more = wanted.form.next_page(printer.written);
        let Some(rows) = more.or_else(|| wanted.follow.then_some(PAGE_ROWS)) else { break };
        let page = feed.after(cursor, &filter, rows).await?;
        if wanted.after.is_some() && cursor < page.gone {
            return Err(gone(page.gone));
        }
        cursor = page.next.max(cursor);
        page.entries.iter().try_for_each(|entry| printer.print(entry))?;
        if page.entries.len() < rows {
            if !wanted.follow {
                break;
            }
            printer.out.flush()?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    printer.end()
}

/// What was asked for is not all there any more.
fn gone(Cursor(through): Cursor) -> Failure {
    let what = "they are purged (retention.events), and their changes are in the table of connections";
    anyhow::anyhow!("events up to number {through} are gone: {what}; go on with --after {through}").into()
}

/// Where to begin: after the number asked for, at the beginning for `--all`, else so that the newest come last.
async fn start(feed: &dyn Feed, filter: &FeedFilter, wanted: &Tail) -> Result<Cursor, Failure> {
    if let Some(number) = wanted.after {
        return Ok(Cursor(number));
    }
    if wanted.form.all {
        return Ok(Cursor::default());
    }
    let limit = wanted.form.limit;
    let last = feed.after(Cursor::default(), filter, 1).await?.last;
    // Numbers have no holes, so without a filter the newest are found by counting back. (Where several apps' events are purged
    // up to different places there may be some, which are the oldest.)
    if *filter == FeedFilter::default() {
        Ok(Cursor(last.0.saturating_sub(limit as u64)))
    } else {
        newest(feed, filter, limit).await
    }
}

/// The place after which the newest `limit` entries that fit are left.
async fn newest(feed: &dyn Feed, filter: &FeedFilter, limit: usize) -> Result<Cursor, Failure> {
    let mut before = VecDeque::from([0]);
    let mut cursor = Cursor::default();
    loop {
        let page = feed.after(cursor, filter, PAGE_ROWS).await?;
        for entry in &page.entries {
            before.push_back(entry.number);
            if before.len() > limit + 1 {
                before.pop_front();
            }
        }
        if page.entries.len() < PAGE_ROWS {
            return Ok(Cursor(before.front().copied().unwrap_or_default()));
        }
        cursor = page.next;
    }
}

/// Writes events: as a table, as one array, or (following) one JSON object a line.
struct Printer<W: Write> {
    out: W,
    json: bool,
    lines: bool,
    written: usize,
}

impl<W: Write> Printer<W> {
    fn start(out: W, wanted: &Tail) -> Self {
        Self { out, json: wanted.form.json, lines: wanted.follow, written: 0 }
    }

    fn print(&mut self, entry: &FeedEntry) -> Result<(), Failure> {
        let event = with_sequence(entry)?;
        if self.json {
            match (self.lines, self.written) {
                (true, _) => {}
                (false, 0) => self.out.write_all(b"[\n")?,
                (false, _) => self.out.write_all(b",\n")?,
            }
            serde_json::to_writer(&mut self.out, &event)?;
            if self.lines {
                self.out.write_all(b"\n")?;
            }
        } else {
            let kind = entry.kind.trim_start_matches("finlinkd.connection.");
            let time = event["time"].as_str().unwrap_or_default();
            let (app, token, status) = (&entry.app, &entry.token, &event["data"]["connection"]["status"]);
            let status = status.as_str().unwrap_or_default();
            let version = &event["data"]["version"];
            writeln!(
                self.out,
                "{:>8}  {}  {app}  {token}  {:<22}  {}  version {version}",
                entry.number,
                clean(time),
                clean(kind),
                clean(status),
            )?;
        }
        self.written += 1;
        Ok(())
    }

    fn end(mut self) -> Result<(), Failure> {
        match (self.json && !self.lines, self.written) {
            (true, 0) => writeln!(self.out, "[]")?,
            (true, _) => writeln!(self.out, "\n]")?,
            (false, 0) if !self.json => writeln!(self.out, "No event fits.")?,
            (false, _) => {}
        }
        finish(self.out)
    }
}

/// The `CloudEvent` with its number in the extension `sequence`, as the API gives it.
fn with_sequence(entry: &FeedEntry) -> Result<Value, Failure> {
    let mut event: Value = serde_json::from_str(&entry.event)?;
    if let Value::Object(members) = &mut event {
        members.insert("sequence".to_owned(), Value::String(entry.number.to_string()));
    }
    Ok(event)
}
