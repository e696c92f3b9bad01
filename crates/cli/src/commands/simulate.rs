//! `finlinkd simulate`: a Finlink to try `finlinkd run` against by hand. Its world moves until Ctrl-C.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};

use clap::Args;
use events::AppName;
use simulator::Simulator;
use tokio_util::sync::CancellationToken;

use super::simulation::SimulationArgs;
use super::{finish, stdout};
use crate::exit::Failure;
use crate::settings::{Log, PREFIX};
use crate::{logs, signals};

/// Options of `simulate`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Where its API listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9470")]
    listen: SocketAddr,
    /// Where it sends webhooks.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080/webhooks/demo")]
    webhook_url: String,
    /// What finlinkd calls the app; the last part of the webhook URL.
    #[arg(long, default_value = "demo")]
    app: AppName,
    /// So many changes a second.
    #[arg(long, value_name = "NUMBER", default_value_t = 1.0)]
    per_second: f64,
    #[command(flatten)]
    world: SimulationArgs,
}

/// Runs until a signal.
pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    logs::start(&Log::default());
    let stop = CancellationToken::new();
    signals::watch(stop.clone())?;
    let listener = TcpListener::bind(options.listen)
        .map_err(|error| anyhow::anyhow!("cannot listen on {}: {error}; choose another --listen", options.listen))?;
    let settings = simulator::Settings {
        live: true,
        live_per_second: options.per_second,
        ..options.world.settings(options.app.as_str())
    };
    let simulator = Simulator::start(settings, listener).map_err(|error| Failure::Usage(error.to_string()))?;
    introduce(&simulator, options)?;
    simulator.run(&options.webhook_url, &stop).await.map_err(|error| Failure::Usage(error.to_string()))?;
    conclude(&simulator)?;
    simulator.stop().await;
    Ok(())
}

fn introduce(simulator: &Simulator, options: &Options) -> Result<(), Failure> {
    let (client_id, client_secret) = simulator.credentials();
    let app = options.app.as_str().to_uppercase();
    let mut out = stdout();
    writeln!(out, "A simulated Finlink listens on {}. In another terminal:\n", simulator.base_url())?;
    writeln!(out, "export {PREFIX}__UPSTREAM__BASE_URL='{}'", simulator.base_url())?;
    writeln!(out, "export {PREFIX}__APPS__{app}__CLIENT_ID='{client_id}'")?;
    writeln!(out, "export {PREFIX}__APPS__{app}__CLIENT_SECRET='{client_secret}'")?;
    writeln!(out, "finlinkd run\n")?;
    writeln!(out, "Its webhooks go to {}. Ctrl-C ends it.", options.webhook_url)?;
    finish(out)
}

fn conclude(simulator: &Simulator) -> Result<(), Failure> {
    let tally = simulator.tally();
    let mut out = stdout();
    writeln!(
        out,
        "\n{} changes; {} webhooks sent, {} acknowledged, {} lost on purpose, {} given up; {} requests to the API.",
        tally.changes,
        tally.sent,
        tally.acknowledged,
        tally.lost,
        tally.given_up,
        tally.asked.requests()
    )?;
    finish(out)
}
