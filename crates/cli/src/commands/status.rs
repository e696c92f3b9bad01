//! `finlinkd status`: how things stand, in a few lines. Reads the store beside a running pipeline.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use clap::Args;
use events::UtcMicros;
use serde_json::{Value, json};
use store::Totals;

use super::gaps::sum;
use super::{finish, stdout, words};
use crate::ask;
use crate::exit::Failure;
use crate::output;
use crate::settings::{Settings, StoreEngine};
use crate::wiring;

/// A process that is alive answers its own machine at once.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Options of `status`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// Prints sums over the store and what the running process says of itself.
pub(crate) async fn run(settings: &Settings, options: &Options) -> Result<(), Failure> {
    let store = wiring::look_into_store(settings)?;
    let now = store.time().await?;
    let totals = store.totals(now).await?;
    let process = ask::get(settings.admin_listen, "/readyz", None, TIMEOUT).await.ok();
    let process = process.and_then(|answer| serde_json::from_slice::<Value>(&answer.body).ok());
    let mut out = stdout();
    if options.json {
        output::json(&mut out, &json!({ "process": process, "totals": totals }))?;
    } else {
        let state = process.as_ref().and_then(|process| process["status"].as_str());
        writeln!(out, "{}", headline(settings, state))?;
        output::facts(&mut out, &facts(&totals, now))?;
    }
    finish(out)
}

/// How the process on this machine is. Where others share the store, that none is here says nothing of them.
fn headline(settings: &Settings, state: Option<&str>) -> String {
    let is_shared = !matches!(settings.store.engine(), Ok(StoreEngine::Sqlite));
    match state {
        Some(state) if is_shared => format!("finlinkd on this machine: {}", output::clean(state)),
        None if is_shared => "finlinkd on this machine: no process; those elsewhere are not asked".to_owned(),
        state => {
            format!("finlinkd in {}: {}", settings.data_dir.display(), output::clean(state.unwrap_or("not running")))
        }
    }
}

fn facts(totals: &Totals, now: UtcMicros) -> Vec<(&'static str, String)> {
    let ago =
        |at: Option<UtcMicros>| at.map_or_else(|| "never".to_owned(), |at| format!("{} ago", words(now.since(at))));
    let received: u64 = totals.deliveries.values().sum();
    let mut facts = vec![(
        "webhooks",
        format!("{received} on record{}, {} with a body seen before", listed(&totals.deliveries), totals.duplicates),
    )];
    facts.push(("newest webhook", ago(totals.last_webhook_at.values().max().copied())));
    let waiting =
        totals.hint_oldest_at.map(|at| format!(", the oldest for {}", words(now.since(at)))).unwrap_or_default();
    facts.push(("hints", format!("{} wait for a read{waiting}", totals.hints_unanswered)));
    let overdue = totals.overdue_since.filter(|at| *at < now);
    facts.push(("schedule", overdue.map_or("on time".to_owned(), |at| format!("{} overdue", words(now.since(at))))));
    for (app, statuses) in &totals.connections {
        let swept = ago(totals.swept_at.get(app).copied());
        let count: u64 = statuses.values().sum();
        facts.push(("connections", format!("{app}: {count}{}; whole list read {swept}", listed(statuses))));
    }
    for (app, held) in &totals.deletions_held {
        facts.push(("deletions held", format!("{app}: {held} wait for an operator")));
    }
    let unnumbered = totals.events_unnumbered;
    facts.push(("events", format!("{} in the feed, {unnumbered} not numbered yet", totals.events)));
    let (all, open, late) = (sum(totals), totals.gaps_open, totals.gaps_late);
    facts.push(("gaps", format!("{all} changes were found by asking; {open} still open, {late} told of late")));
    let dead: u64 = totals.dead_letters.values().sum();
    facts.push(("dead letters", format!("{dead}{}", listed(&totals.dead_letters))));
    facts.push(("bodies", format!("{} kept, {} bytes", totals.bodies, totals.body_bytes)));
    facts
}

fn listed(counts: &BTreeMap<String, u64>) -> String {
    let parts: Vec<String> = counts.iter().map(|(word, count)| format!("{word} {count}")).collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_elsewhere_is_not_said_not_to_run() {
        let mut settings = Settings { data_dir: "/data".into(), ..Settings::default() };
        assert_eq!(headline(&settings, None), "finlinkd in /data: not running");
        assert_eq!(headline(&settings, Some("ready")), "finlinkd in /data: ready");
        settings.store.url = "postgres://user@host/finlinkd".to_owned();
        assert!(!headline(&settings, None).contains("not running"));
        assert_eq!(headline(&settings, Some("degraded")), "finlinkd on this machine: degraded");
    }
}
