//! `finlinkd webhooks`: what came in, newest first, and having it count again.

mod replay;

use clap::{Args, Subcommand};
use events::{AppName, ConnectionToken, Receipt, UtcMicros};
use serde_json::{Value, json};
use store::{DeliveryDetail, DeliveryFilter, DeliveryRow};

use super::{ListArgs, ShowArgs, finish, readable, stdout};
use crate::exit::Failure;
use crate::output::{self, Row, or_dash};
use crate::settings::Settings;
use crate::wiring;

/// Options of `webhooks`.
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
    /// Lists webhooks, newest first.
    List(List),
    /// Shows one webhook with its body.
    Show(One),
    /// Has recorded webhooks count as hints again: what they point at is read anew, each connection once. Those that are
    /// pending or rejected are left out. Without --yes it only tells what it would do.
    Replay(replay::Options),
}

/// Which webhooks.
#[derive(Debug, Clone, Args)]
struct Filter {
    /// Of this app only.
    #[arg(long)]
    app: Option<AppName>,
    /// With this verification only.
    #[arg(long, value_parser = ["verified", "pending", "rejected", "unchecked"])]
    verification: Option<String>,
    /// Only those whose body had been delivered before.
    #[arg(long, conflicts_with = "first")]
    duplicates: bool,
    /// Only those whose body had not been delivered before.
    #[arg(long)]
    first: bool,
    /// Only those that name this connection first.
    #[arg(long)]
    token: Option<ConnectionToken>,
    /// Received at this time or later, such as 2026-01-31T08:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<UtcMicros>,
}

#[derive(Debug, Clone, Args)]
struct List {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    form: ListArgs,
}

#[derive(Debug, Clone, Args)]
struct One {
    /// The receipt that the sender was told.
    receipt: Receipt,
    #[command(flatten)]
    form: ShowArgs,
}

/// Does what was asked for.
pub(crate) async fn run(settings: &Settings, options: &Options) -> Result<(), Failure> {
    match &options.action {
        None => list(settings, &options.list).await,
        Some(Action::List(wanted)) => list(settings, wanted).await,
        Some(Action::Show(one)) => show(settings, one).await,
        Some(Action::Replay(wanted)) => replay::run(settings, wanted).await,
    }
}

impl Filter {
    /// As the store knows it.
    fn wanted(&self) -> DeliveryFilter {
        DeliveryFilter {
            app: self.app.clone(),
            verification: self.verification.clone(),
            duplicate: match (self.duplicates, self.first) {
                (true, _) => Some(true),
                (_, true) => Some(false),
                _ => None,
            },
            token: self.token.clone(),
            since: self.since,
            ..DeliveryFilter::default()
        }
    }
}

async fn list(settings: &Settings, wanted: &List) -> Result<(), Failure> {
    let store = wiring::look_into_store(settings)?;
    let filter = wanted.filter.wanted();
    let page = async |rows, last: Option<&DeliveryRow>| {
        let before = last.map(|last| last.receipt);
        store.deliveries(&DeliveryFilter { before, limit: Some(rows), ..filter.clone() }).await
    };
    wanted.form.list(&format!("No webhook in {} fits.", wiring::store_shown(settings)?), page).await
}

async fn show(settings: &Settings, one: &One) -> Result<(), Failure> {
    let store = wiring::look_into_store(settings)?;
    let Some(detail) = store.delivery(one.receipt).await? else {
        return Err(unrecorded(one.receipt, "`webhooks list` lists what is").into());
    };
    let mut out = stdout();
    if one.form.json {
        output::json(&mut out, &as_json(&detail)?)?;
    } else {
        output::facts(&mut out, &facts(&detail))?;
    }
    finish(out)
}

/// A receipt that nothing is known of (any more).
fn unrecorded(receipt: Receipt, what: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "no webhook with the receipt {receipt} is on record, or it is older than retention.deliveries: {what}"
    )
}

fn as_json(detail: &DeliveryDetail) -> Result<Value, Failure> {
    let mut value = serde_json::to_value(&detail.row)?;
    let more = json!({
        "instance": detail.instance,
        "sequence": detail.sequence,
        "kid": detail.kid,
        "rejection": detail.rejection,
        "content_type": detail.content_type,
    });
    if let (Value::Object(all), Value::Object(more)) = (&mut value, more) {
        all.extend(more);
        if let Some(body) = &detail.body {
            let (name, text) = readable(body);
            all.insert(name.to_owned(), Value::String(text));
        }
    }
    Ok(value)
}

fn facts(detail: &DeliveryDetail) -> Vec<(&'static str, String)> {
    let row = &detail.row;
    let (name, body) = match &detail.body {
        Some(body) => readable(body),
        None => ("body", "not kept: the app's budget for bodies was used up".to_owned()),
    };
    vec![
        ("receipt", row.receipt.to_string()),
        ("app", row.app.to_string()),
        ("received at", row.received_at.to_string()),
        ("verification", row.verification.clone()),
        ("rejected because", or_dash(detail.rejection.as_ref())),
        ("key", or_dash(detail.kid.as_ref())),
        ("duplicate", row.duplicate.to_string()),
        ("names first", or_dash(row.token.as_ref())),
        ("instance", detail.instance.to_string()),
        ("sequence", detail.sequence.to_string()),
        ("content type", or_dash(detail.content_type.as_ref())),
        ("body sha256", row.body_sha256.clone()),
        (name, body),
    ]
}

impl Row for DeliveryRow {
    const HEADINGS: &'static [&'static str] =
        &["RECEIPT", "APP", "RECEIVED AT", "VERIFICATION", "DUPLICATE", "NAMES FIRST"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.receipt.to_string(),
            self.app.to_string(),
            self.received_at.to_string(),
            self.verification.clone(),
            if self.duplicate { "yes" } else { "no" }.to_owned(),
            or_dash(self.token.as_ref()),
        ]
    }
}
