//! The command line: one command a variant, its options beside its code in `commands` and `roles`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands;

/// Webhook ingestion for Vumi Finlink (unofficial): webhooks in, a table of connections that is right and a feed of what
/// changed out.
///
/// Settings come from a TOML file (--config) and from environment variables named `FINLINKD__SECTION__FIELD`; `finlinkd
/// check-config` shows all of them.
#[derive(Debug, Parser)]
#[command(name = "finlinkd", version, propagate_version = false, max_term_width = 100)]
pub struct Arguments {
    /// A TOML file with settings; the environment wins over it.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs everything in one process: receiver, consumer, reconciler, feed, user's API, metrics and health.
    Run,
    /// Runs the receiver alone: webhooks into RabbitMQ, or onto its own disk while RabbitMQ is away.
    Ingress,
    /// Runs a consumer alone: from RabbitMQ into PostgreSQL; any number at a time.
    Consumer,
    /// Runs the reconciler alone, the one that asks Finlink; further ones stand by.
    Reconciler,
    /// Runs the feed and the user's API alone; any number at a time.
    Feed,
    /// Shows it all against a simulated Finlink, in one process, and checks the outcome.
    Demo(commands::demo::Options),
    /// Runs a simulated Finlink on its own, to try `finlinkd run` against.
    Simulate(commands::simulate::Options),
    /// Tells how things stand: webhooks, hints, connections, events, gaps.
    Status(commands::status::Options),
    /// Lists, shows, explains and refreshes connections; alone it lists them.
    Connections(commands::connections::Options),
    /// Lists, shows and replays webhooks; alone it lists them.
    Webhooks(commands::webhooks::Options),
    /// Shows the events of the feed.
    Events(commands::events::Options),
    /// Lists and shows messages that could not be recorded; alone it lists them.
    DeadLetters(commands::dead_letters::Options),
    /// Lists and sums up changes that no webhook told of; alone it lists them.
    Gaps(commands::gaps::Options),
    /// Proves that every acknowledged webhook is stored.
    Ledger(commands::ledger::Options),
    /// Compares the table of connections with what the reads on record make of it.
    Rebuild(commands::rebuild::Options),
    /// Checks the settings and prints the effective ones, secrets masked.
    CheckConfig(commands::check_config::Options),
    /// Brings the schema of the store, a data folder or a database, up to date.
    Migrate,
    /// Prints JSON Schemas of the shapes that others rely on.
    Schema(commands::schema::Options),
    /// Asks a running process whether it is ready; exits with 0 or 1.
    Healthcheck,
}
