//! `finlinkd rebuild --verify`: whether the table of connections is what the reads on record make of it.
//!
//! Promises: changes nothing, and needs little memory however many connections there are. Not here: which fields are
//! determined by the reads on record, which the store says.

use std::io::Write;

use clap::Args;
use events::{AppName, ConnectionToken};
use serde_json::Value;
use store::{Difference, RebuildFilter};

use super::{finish, stdout};
use crate::exit::Failure;
use crate::output::{Listing, Row};
use crate::settings::Settings;
use crate::wiring;

/// Connections that are compared in one snapshot.
const CONNECTIONS_AT_ONCE: usize = 500;

/// Options of `rebuild`.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = FIELDS)]
pub struct Options {
    /// Compares, and changes nothing: exits with 0 where every connection is as the reads on record make it, and with 1 where
    /// one differs, or the store cannot be asked. Must be given: nothing else can be done yet.
    #[arg(long)]
    verify: bool,
    /// Of this app only.
    #[arg(long)]
    app: Option<AppName>,
    /// This connection only.
    #[arg(long)]
    token: Option<ConnectionToken>,
    /// JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// What is compared.
const FIELDS: &str = "\
Each read that changed something is on record, with what it was judged by. From these the state of each connection is derived \
anew by the same rules and compared with its row: all columns of Finlink's answer and the answer itself (`raw`), `version`, \
`deleted_at`, and the evidence that is being gathered (`absence`, `regression`, `announced`, `missing`, whether a deletion is \
held). A read that changed nothing is not on record: `read_no`, `as_of` and `unchanged_reads` may be ahead, never behind. \
`deletion_approved_at` is a person's word and is not compared.";

/// Does what was asked for.
pub(crate) async fn run(settings: &Settings, options: &Options) -> Result<(), Failure> {
    if !options.verify {
        let what = "there is only `rebuild --verify` so far: it compares the table of connections with what the reads on \
                    record make of it, and changes nothing";
        return Err(Failure::Usage(what.to_owned()));
    }
    let store = wiring::look_into_store(settings)?;
    let apps = match &options.app {
        Some(app) => vec![app.clone()],
        None => store.apps().await?,
    };
    let mut listing = Listing::start(stdout(), options.json);
    let (mut connections, mut differing) = (0, 0);
    for app in apps {
        let mut filter = RebuildFilter { app, token: options.token.clone(), limit: CONNECTIONS_AT_ONCE, after: None };
        loop {
            let compared = store.compare(&filter).await?;
            connections += compared.connections;
            differing += compared.differing;
            listing.page(&compared.differences)?;
            filter.after = compared.next;
            if filter.after.is_none() {
                break;
            }
        }
    }
    listing.end(&match connections {
        0 => format!("No connection in {} fits.", wiring::store_shown(settings)?),
        _ => format!("{connections} connections: each is as the reads on record make it."),
    })?;
    if differing == 0 {
        return Ok(());
    }
    if !options.json {
        let mut out = stdout();
        writeln!(out, "{differing} of {connections} connections are not as the reads on record make them.")?;
        finish(out)?;
    }
    Err(Failure::Negative)
}

impl Row for Difference {
    const HEADINGS: &'static [&'static str] = &["APP", "TOKEN", "FIELD", "EXPECTED", "FOUND"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.app.to_string(),
            self.token.to_string(),
            self.field.clone(),
            shown(&self.expected),
            shown(&self.found),
        ]
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
