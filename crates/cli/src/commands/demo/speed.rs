//! The demo's settings: the same rules as ever, with days made into seconds, and a Finlink that may be asked often.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use connections::Schedule;
use simulator::Simulator;

use super::{APP, Options};
use crate::exit::Failure;
use crate::settings::{App, Log, LogFormat, Secret, Settings};

/// Unless told otherwise.
const WEBHOOKS_PER_CONNECTION: u64 = 20;
/// So many webhooks a second, so that a person can watch, ...
const WEBHOOKS_PER_SECOND: u64 = 150;
/// ... but over at least this long, so that there is disorder to see, ...
const SENDING_MIN: Duration = Duration::from_secs(4);
/// ... and over no more than this, ...
const SENDING_MAX: Duration = Duration::from_secs(20);
/// ... unless that would be faster than this.
const WEBHOOKS_PER_SECOND_MAX: u64 = 1000;
/// Deletions for so many connections, but no more than count without an operator (R3).
const CONNECTIONS_PER_DELETION: usize = 20;
const DELETIONS_MAX: usize = 4;

/// What stands for the ten minutes within which an unknown key is decided (R10).
const UNKNOWN_KEY_WITHIN: Duration = Duration::from_secs(2);

/// How the demo logs.
pub(super) fn log(level: &str) -> Log {
    Log { format: LogFormat::Text, level: level.to_owned() }
}

/// The simulated world.
pub(super) fn world(options: &Options) -> simulator::Settings {
    let connections = options.world.connections;
    let webhooks = options.webhooks.unwrap_or(connections as u64 * WEBHOOKS_PER_CONNECTION);
    simulator::Settings {
        webhooks: Some(webhooks),
        deletions: connections.div_ceil(CONNECTIONS_PER_DELETION).min(DELETIONS_MAX),
        duration: sending(webhooks),
        ..options.world.settings(APP)
    }
}

fn sending(webhooks: u64) -> Duration {
    let comfortable = Duration::from_secs(webhooks / WEBHOOKS_PER_SECOND).clamp(SENDING_MIN, SENDING_MAX);
    comfortable.max(Duration::from_secs(webhooks / WEBHOOKS_PER_SECOND_MAX))
}

/// The pipeline's settings.
pub(super) fn settings(simulator: &Simulator, folder: &Path, log: Log) -> Result<Settings, Failure> {
    let (client_id, client_secret) = simulator.credentials();
    let app =
        App { client_id: Some(client_id), client_secret: Some(Secret::from(client_secret)), client_secret_file: None };
    let free_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut settings = Settings {
        listen: free_port,
        api_listen: free_port,
        admin_listen: free_port,
        internal_listen: free_port,
        data_dir: folder.to_owned(),
        apps: [(APP.parse().map_err(anyhow::Error::from)?, app)].into(),
        schedule: schedule(),
        log,
        ..Settings::default()
    };
    settings.rules.sweep_every = Duration::from_secs(1);
    settings.rules.announce_existing = true;
    settings.rules.unknown_key_within = UNKNOWN_KEY_WITHIN;
    settings.upstream.base_url = simulator.base_url();
    settings.upstream.max_requests_per_second = 200;
    settings.upstream.list_apart = Duration::from_millis(500);
    settings.upstream.login_apart = Duration::from_secs(1);
    settings.upstream.poll_every = Duration::from_millis(50);
    settings.upstream.keys_poll_every = Duration::from_millis(250);
    settings.upstream.key_questions_apart = Duration::from_millis(50);
    settings.ingress.grace = Duration::ZERO;
    Ok(settings)
}

/// Half a second for a minute, some seconds for a day.
fn schedule() -> Schedule {
    const SOON: Duration = Duration::from_millis(500);
    const LATER: Duration = Duration::from_secs(3);
    Schedule {
        running: SOON,
        automatic: LATER,
        manual: LATER,
        retryable: LATER,
        other: LATER,
        floor: SOON,
        floor_max: LATER,
        ceiling: LATER,
        second_look: SOON,
        deletion_rounds_apart: SOON,
        hinted_reads_apart: Duration::from_millis(100),
    }
}
