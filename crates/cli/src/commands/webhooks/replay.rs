//! `finlinkd webhooks replay`: recorded webhooks count as hints again.
//!
//! A webhook is only a hint, so what is repeated is the read that it asks for. Promises: what several point at is hinted at
//! once; no webhook is recorded again, and the books do not notice; what is pending or rejected has no effect. It is a
//! person's wish, so what the read finds is told as if `connections refresh` had asked. Not here: what a webhook points at
//! (R11), which is the store's.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use anyhow::Context;
use clap::Args;
use events::{AppName, Receipt, UtcMicros};
use serde::Serialize;
use store::{DeliveryFilter, Inspect, Refresh, Target};

use super::{Filter, unrecorded};
use crate::commands::{PAGE_ROWS, finish, own, stdout};
use crate::exit::Failure;
use crate::output;
use crate::settings::Settings;
use crate::wiring;

/// What selects webhooks by other things than their receipts.
const FILTERS: [&str; 8] = ["app", "verification", "duplicates", "first", "token", "since", "limit", "all"];

/// Connections and apps that one transaction hints at.
const HINTED_AT_ONCE: usize = 1000;

/// Options of `webhooks replay`: webhooks by receipt, by filter, or all; one of these must be given.
#[derive(Debug, Clone, Args)]
pub(super) struct Options {
    /// The receipts that the sender was told.
    #[arg(value_name = "RECEIPT", required_unless_present_any = FILTERS, conflicts_with_all = FILTERS)]
    receipts: Vec<Receipt>,
    #[command(flatten)]
    filter: Filter,
    /// The newest N of them.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Every webhook there is, or every one that fits.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Does it. Without, nothing is changed.
    #[arg(long)]
    yes: bool,
    /// JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// What selected webhooks point at.
#[derive(Debug, Default)]
struct Selected {
    webhooks: u64,
    silent: BTreeMap<String, u64>,
    targets: BTreeSet<Target>,
}

/// The answer.
#[derive(Debug, Serialize)]
struct Report {
    /// False: nothing was changed.
    done: bool,
    /// Webhooks that were selected.
    selected: u64,
    /// Those of them that count as hints again, or would.
    webhooks: u64,
    /// Those of them that do not, by what they are: `pending`, `rejected`.
    left_out: BTreeMap<String, u64>,
    /// What is read anew, by app.
    apps: BTreeMap<AppName, PerApp>,
}

/// What is read anew of an app.
#[derive(Debug, Default, Serialize)]
struct PerApp {
    /// Connections that are read.
    connections: u64,
    /// A list of all is read, too.
    list: bool,
}

/// Tells what would be done, or does it.
pub(super) async fn run(settings: &Settings, wanted: &Options) -> Result<(), Failure> {
    let report = if wanted.yes {
        let store = own(settings, wiring::open_store(settings))?;
        let report = replay(store.inspect().as_ref(), store.refresh().as_ref(), wanted).await;
        store.close().await;
        report?
    } else {
        let store = wiring::look_into_store(settings)?;
        wanted.selected(store.as_ref()).await?.report(false)
    };
    let mut out = stdout();
    if wanted.json {
        output::json(&mut out, &report)?;
    } else {
        report.tell(&mut out)?;
    }
    finish(out)
}

async fn replay(inspect: &dyn Inspect, refresh: &dyn Refresh, wanted: &Options) -> Result<Report, Failure> {
    let selected = wanted.selected(inspect).await?;
    let now = refresh.time().await?;
    hint(refresh, &selected.targets, now).await?;
    Ok(selected.report(true))
}

/// Part by part.
async fn hint(refresh: &dyn Refresh, targets: &BTreeSet<Target>, now: UtcMicros) -> Result<(), Failure> {
    let mut rest = targets.iter();
    let mut hinted = 0;
    loop {
        let part: BTreeSet<Target> = rest.by_ref().take(HINTED_AT_ONCE).cloned().collect();
        if part.is_empty() {
            return Ok(());
        }
        refresh.replay(&part, now).await.with_context(|| {
            let all = targets.len();
            format!("it ended early, after {hinted} of {all} connections and apps; doing it again does no harm")
        })?;
        hinted += part.len();
    }
}

impl Options {
    /// What the webhooks point at as they are now.
    async fn selected(&self, store: &dyn Inspect) -> Result<Selected, Failure> {
        let mut selected = Selected::default();
        if self.receipts.is_empty() {
            self.filtered(store, &mut selected).await?;
        } else {
            self.named(store, &mut selected).await?;
        }
        Ok(selected)
    }

    async fn filtered(&self, store: &dyn Inspect, selected: &mut Selected) -> Result<(), Failure> {
        let mut filter = self.filter.wanted();
        let mut left = self.limit.unwrap_or(usize::MAX);
        while left > 0 {
            let rows = left.min(PAGE_ROWS);
            let page = store.deliveries(&DeliveryFilter { limit: Some(rows), ..filter.clone() }).await?;
            let receipts: Vec<_> = page.iter().map(|row| row.receipt).collect();
            selected.add(store, &receipts).await?;
            if receipts.len() < rows {
                break;
            }
            filter.before = receipts.last().copied();
            left -= rows;
        }
        Ok(())
    }

    async fn named(&self, store: &dyn Inspect, selected: &mut Selected) -> Result<(), Failure> {
        let receipts: BTreeSet<Receipt> = self.receipts.iter().copied().collect();
        for receipt in &receipts {
            if store.delivery(*receipt).await?.is_none() {
                return Err(unrecorded(*receipt, "nothing was changed; `webhooks list` lists what is").into());
            }
        }
        selected.add(store, &receipts.into_iter().collect::<Vec<_>>()).await
    }
}

impl Selected {
    async fn add(&mut self, store: &dyn Inspect, receipts: &[Receipt]) -> Result<(), Failure> {
        let aims = store.aims(receipts).await?;
        self.webhooks += aims.webhooks;
        for (word, count) in aims.silent {
            *self.silent.entry(word).or_default() += count;
        }
        self.targets.extend(aims.targets);
        Ok(())
    }

    fn report(self, done: bool) -> Report {
        let Self { webhooks, silent, targets } = self;
        let mut apps: BTreeMap<AppName, PerApp> = BTreeMap::new();
        for (app, token) in targets {
            let of_app = apps.entry(app).or_default();
            of_app.connections += u64::from(token.is_some());
            of_app.list |= token.is_none();
        }
        Report { done, selected: webhooks + silent.values().sum::<u64>(), webhooks, left_out: silent, apps }
    }
}

impl Report {
    fn tell(&self, out: &mut impl Write) -> io::Result<()> {
        if self.selected == 0 {
            return writeln!(out, "No webhook fits.");
        }
        let verdict = if self.done { "count as hints again" } else { "would count as hints again" };
        writeln!(out, "{} of {} selected webhooks {verdict}.", self.webhooks, self.selected)?;
        for (word, count) in &self.left_out {
            let why = match word.as_str() {
                "pending" => ": they hint once it is known who signed them",
                "rejected" => ": they never have an effect",
                _ => "",
            };
            writeln!(out, "{count} are {word} and left out{why}.")?;
        }
        for (app, PerApp { connections, list }) in &self.apps {
            let list = if *list { ", and the list of all" } else { "" };
            writeln!(out, "  {app}: {connections} connections{list}")?;
        }
        match (self.done, self.apps.is_empty()) {
            (true, false) => {
                writeln!(out, "They are read next, by the reconciler that runs or by the next one that starts.")
            }
            (true, true) => Ok(()),
            (false, _) => writeln!(out, "Nothing was changed: --yes does it."),
        }
    }
}
