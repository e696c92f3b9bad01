//! `finlinkd dead-letters`: messages that could not be recorded, kept as bytes; back into the queue, or away with them.

mod discard;
mod redrive;
mod report;
mod selection;

use clap::{Args, Subcommand};
use events::AppName;
use serde_json::Value;
use store::{DeadLetterFilter, DeadLetterReason, DeadLetterRow};

use super::{ListArgs, ShowArgs, finish, readable, stdout};
use crate::exit::Failure;
use crate::output::{self, Row, or_dash};
use crate::settings::Settings;
use crate::wiring;
use selection::Change;

/// Options of `dead-letters`.
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
    /// Lists dead letters, newest first.
    List(List),
    /// Shows one dead letter with its body.
    Show(One),
    /// Publishes messages again, oldest first, and removes their letters. Without --yes it only tells what it would do.
    Redrive(Change),
    /// Removes letters for good, bodies included. Without --yes it only tells what it would do.
    Discard(Change),
}

#[derive(Debug, Clone, Args)]
struct List {
    /// With this reason only.
    #[arg(long, value_parser = DeadLetterReason::ALL.map(DeadLetterReason::word))]
    reason: Option<String>,
    /// Of this app only.
    #[arg(long)]
    app: Option<AppName>,
    #[command(flatten)]
    form: ListArgs,
}

#[derive(Debug, Clone, Args)]
struct One {
    /// Its number in the listing.
    id: i64,
    #[command(flatten)]
    form: ShowArgs,
}

/// Does what was asked for.
pub(crate) async fn run(settings: &Settings, options: &Options) -> Result<(), Failure> {
    match &options.action {
        None => list(settings, &options.list).await,
        Some(Action::List(wanted)) => list(settings, wanted).await,
        Some(Action::Show(one)) => show(settings, one).await,
        Some(Action::Redrive(wanted)) => redrive::run(settings, wanted).await,
        Some(Action::Discard(wanted)) => discard::run(settings, wanted).await,
    }
}

async fn list(settings: &Settings, wanted: &List) -> Result<(), Failure> {
    let store = wiring::look_into_store(settings)?;
    let filter =
        DeadLetterFilter { app: wanted.app.clone(), reason: wanted.reason.clone(), ..DeadLetterFilter::default() };
    let none = match (&wanted.reason, &wanted.app) {
        (None, None) => "No dead letters: every message could be recorded.",
        _ => "No dead letter fits.",
    };
    let page = async |rows, last: Option<&DeadLetterRow>| {
        let before = last.map(|last| last.id);
        store.dead_letters(&DeadLetterFilter { before, limit: Some(rows), ..filter.clone() }).await
    };
    wanted.form.list(none, page).await
}

async fn show(settings: &Settings, one: &One) -> Result<(), Failure> {
    let store = wiring::look_into_store(settings)?;
    let Some(letter) = store.dead_letter(one.id).await? else {
        return Err(anyhow::anyhow!("there is no dead letter {}; `dead-letters list` lists them", one.id).into());
    };
    let (name, body) = readable(letter.body.as_deref().unwrap_or_default());
    let mut out = stdout();
    if one.form.json {
        let mut value = serde_json::to_value(&letter)?;
        if let Value::Object(fields) = &mut value {
            fields.insert(name.to_owned(), Value::String(body));
        }
        output::json(&mut out, &value)?;
    } else {
        output::facts(&mut out, &facts(&letter, (name, body)))?;
    }
    finish(out)
}

fn facts(letter: &DeadLetterRow, body: (&'static str, String)) -> Vec<(&'static str, String)> {
    vec![
        ("id", letter.id.to_string()),
        ("buried at", letter.buried_at.to_string()),
        ("reason", letter.reason.clone()),
        ("detail", letter.detail.clone()),
        ("receipt", or_dash(letter.receipt.as_ref())),
        ("app", or_dash(letter.app.as_ref())),
        ("envelope", letter.envelope.to_string()),
        body,
    ]
}

impl Row for DeadLetterRow {
    const HEADINGS: &'static [&'static str] = &["ID", "BURIED AT", "REASON", "APP", "RECEIPT", "BYTES", "DETAIL"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.buried_at.to_string(),
            self.reason.clone(),
            or_dash(self.app.as_ref()),
            or_dash(self.receipt.as_ref()),
            self.body_bytes.to_string(),
            self.detail.clone(),
        ]
    }
}
