//! `finlinkd demo`: the pipeline and a simulated Finlink in one process, on loopback and in a folder of its own, and at the
//! end a comparison of everything with the truth.
//!
//! Promises: the pipeline is the one of `finlinkd run`, sped up by settings alone; exit code 0 only where every connection
//! equals the truth, every acknowledged webhook is stored and the feed is right.

mod check;
mod folder;
mod progress;
mod report;
mod speed;

use std::time::{Duration, Instant};

use clap::Args;
use simulator::{Ended, Simulator};
use tokio_util::sync::CancellationToken;

use self::check::Checked;
use self::folder::Folder;
use self::progress::Bar;
use self::report::Report;
use super::simulation::SimulationArgs;
use super::{finish, stdout};
use crate::exit::Failure;
use crate::output;
use crate::roles::process::{Running, start};
use crate::settings::Role;
use crate::{logs, signals};

/// What the app is called.
const APP: &str = "demo";
/// How often the outcome is compared while it converges.
const COMPARE_EVERY: Duration = Duration::from_millis(250);

/// Options of `demo`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    #[command(flatten)]
    world: SimulationArgs,
    /// How many different webhooks are sent, duplicates and forged ones counted; by default 20 for each connection.
    #[arg(long, value_name = "N")]
    webhooks: Option<u64>,
    /// How long the pipeline has, after the last webhook, to arrive at the truth.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = humantime_serde::re::humantime::parse_duration)]
    deadline: Duration,
    /// Keeps the data folder, to look into it with the other commands.
    #[arg(long)]
    keep: bool,
    /// Logs of the pipeline: off, error, warn, info, debug.
    #[arg(long, value_name = "LEVEL", default_value = "off")]
    log: String,
    /// The report as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the demo and judges it.
pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let log = speed::log(&options.log);
    logs::filter(&log.level).map_err(|why| Failure::Usage(format!("--log {}: {why}", options.log)))?;
    logs::start(&log);
    let stop = CancellationToken::new();
    signals::watch(stop.clone())?;

    let began = Instant::now();
    let folder = Folder::create(options.keep)?;
    let world = speed::world(options);
    let simulator = Simulator::start_on_loopback(world).map_err(|error| Failure::Usage(error.to_string()))?;
    let pipeline_stop = CancellationToken::new();
    let settings = speed::settings(&simulator, folder.path(), log)?;
    let running = start(Role::Run, settings, pipeline_stop.clone()).await?;
    let outcome = send_and_compare(options, &simulator, &running, &stop).await;
    pipeline_stop.cancel();
    let ended = running.ended().await;
    let tally = simulator.tally();
    let truth = simulator.truth();
    simulator.stop().await;

    let report = Report::new(&tally, &truth, outcome?, began.elapsed());
    let mut out = stdout();
    if options.json {
        output::json(&mut out, &report)?;
    } else {
        report.write(&mut out, folder.kept())?;
    }
    finish(out)?;
    ended?;
    if report.converged { Ok(()) } else { Err(Failure::Negative) }
}

/// Sends everything, then waits for convergence.
async fn send_and_compare(
    options: &Options,
    simulator: &Simulator,
    running: &Running,
    stop: &CancellationToken,
) -> Result<Checked, Failure> {
    let bar = Bar::start(options.json);
    let address = running.addresses.listen.ok_or_else(|| anyhow::anyhow!("nobody listens for webhooks"))?;
    let url = format!("http://{address}/webhooks/{APP}");
    let sent = tokio::select! {
        sent = simulator.run(&url, stop) => sent,
        never = bar.follow(simulator) => match never {},
    };
    if matches!(sent.map_err(anyhow::Error::from)?, Ended::Stopped) {
        return Err(anyhow::anyhow!("stopped before the end: nothing can be said").into());
    }
    bar.converging();
    let deadline = Instant::now() + options.deadline;
    loop {
        let checked = check::check(running, &simulator.truth(), &simulator.tally()).await?;
        bar.compared(&checked);
        if checked.holds() || Instant::now() >= deadline || stop.is_cancelled() {
            bar.end();
            return Ok(checked);
        }
        tokio::select! {
            () = tokio::time::sleep(COMPARE_EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}
