//! What can be set about a simulation. All of it has a default, and all of it together with the seed decides what happens.
//!
//! Not here: how a setting is read from a command line or file, and credentials: these are derived from the seed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The most connections that a world may have.
pub const CONNECTIONS_MAX: usize = 100_000;
/// The highest share of webhooks that may be lost: with every one lost, a number of webhooks to send is never reached.
pub const LOSS_RATE_MAX: f64 = 0.95;
/// Unless told otherwise, a world makes so many webhooks for each connection.
pub const WEBHOOKS_PER_CONNECTION: u64 = 6;

/// No duration is longer, in seconds: a year.
const DURATION_MAX_S: f64 = 31_536_000.0;
/// The latest base time: the end of the century.
const BASE_TIME_MAX_UNIX_MS: f64 = 4_102_444_800_000.0;

/// A simulation. Rates are shares from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Everything random comes from it.
    pub seed: u64,
    /// The Finlink app whose world this is. Two simulators with one seed and different apps have nothing in common.
    pub app: String,
    /// How many connections there are over the whole run, deleted ones included.
    pub connections: usize,
    /// This share of them exists before the run starts; the rest is created in its first part.
    pub existing_share: f64,
    /// How many of them are deleted during the run. Finlink sends no webhook for that, and an honest receiver waits for a
    /// person when many are missing at once.
    pub deletions: usize,
    /// How many different webhooks are put on the wire in a run: duplicates and forgeries counted, retries and lost ones not.
    /// As many changes happen as that needs. `None`: [`WEBHOOKS_PER_CONNECTION`] for each connection.
    pub webhooks: Option<u64>,
    /// The changes of a run are spread over this long; zero: as fast as they can be made and sent.
    #[serde(with = "humantime_serde")]
    pub duration: Duration,
    /// The run has no end: `webhooks` and `duration` are not looked at, and a change happens so many times a second ...
    pub live: bool,
    /// ... as this says.
    pub live_per_second: f64,
    /// Timestamps count from this moment, in Unix milliseconds. `None`: from the moment the run starts.
    pub base_time_unix_ms: Option<i64>,

    /// This share of webhooks is sent again, half of these signed anew; up to 3 times.
    pub duplicate_rate: f64,
    /// This share of webhooks is never sent. At most [`LOSS_RATE_MAX`].
    pub loss_rate: f64,
    /// This share of webhooks is held back for up to `reorder_window`, so that later ones overtake it.
    pub reorder: f64,
    /// See `reorder`; duplicates are also sent within this time.
    #[serde(with = "humantime_serde")]
    pub reorder_window: Duration,
    /// So many forgeries for each webhook.
    pub forged_rate: f64,
    /// This share of webhooks carries the hash of its body in its signature.
    pub bind_body_rate: f64,
    /// This share of webhooks says the connection's id and nothing else, so that two changes have the same body.
    pub bare_body_rate: f64,
    /// The size to which other bodies are filled up.
    pub body_bytes: usize,
    /// So many times in a run the signing key is replaced. Old keys stay served.
    pub key_rotations: u32,

    /// A webhook that was not answered with 200 is sent again after this long ...
    #[serde(with = "humantime_serde")]
    pub retry_first: Duration,
    /// ... then after this many times the delay before ...
    pub retry_factor: f64,
    /// ... but no longer than this ...
    #[serde(with = "humantime_serde")]
    pub retry_delay_max: Duration,
    /// ... and no more often than this; then it is given up.
    pub retries_max: u32,
    /// An answer is waited for this long.
    #[serde(with = "humantime_serde")]
    pub answer_timeout: Duration,
    /// So many webhooks are on the wire at once.
    pub in_flight_max: usize,
    /// While so many webhooks wait to be sent, the world holds its breath.
    pub waiting_max: usize,

    /// A session token lives this long.
    #[serde(with = "humantime_serde")]
    pub session_lifetime: Duration,
    /// What goes wrong in the API.
    pub faults: Faults,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            app: "demo".to_owned(),
            connections: 50,
            existing_share: 0.25,
            deletions: 2,
            webhooks: None,
            duration: Duration::from_secs(10),
            live: false,
            live_per_second: 1.0,
            base_time_unix_ms: None,
            duplicate_rate: 0.1,
            loss_rate: 0.05,
            reorder: 0.2,
            reorder_window: Duration::from_secs(1),
            forged_rate: 0.02,
            bind_body_rate: 0.5,
            bare_body_rate: 0.0,
            body_bytes: 600,
            key_rotations: 1,
            retry_first: Duration::from_millis(250),
            retry_factor: 4.0,
            retry_delay_max: Duration::from_secs(10),
            retries_max: 8,
            answer_timeout: Duration::from_secs(10),
            in_flight_max: 64,
            waiting_max: 20_000,
            session_lifetime: Duration::from_hours(1),
            faults: Faults::default(),
        }
    }
}

impl Settings {
    /// A world without webhooks' mishaps: nothing lost, doubled, delayed or forged. For tests that add one thing at a time.
    #[must_use]
    pub fn calm(seed: u64) -> Self {
        Self {
            seed,
            duplicate_rate: 0.0,
            loss_rate: 0.0,
            reorder: 0.0,
            forged_rate: 0.0,
            key_rotations: 0,
            duration: Duration::ZERO,
            ..Self::default()
        }
    }

    /// How many webhooks a run puts on the wire.
    #[must_use]
    pub fn webhooks_target(&self) -> u64 {
        self.webhooks.unwrap_or(self.connections as u64 * WEBHOOKS_PER_CONNECTION)
    }

    /// Checks what types don't: the text names the setting, what was expected, and what it is.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        share("existing_share", self.existing_share, 1.0)?;
        share("duplicate_rate", self.duplicate_rate, 1.0)?;
        share("loss_rate", self.loss_rate, LOSS_RATE_MAX)?;
        share("reorder", self.reorder, 1.0)?;
        share("forged_rate", self.forged_rate, 1.0)?;
        share("bind_body_rate", self.bind_body_rate, 1.0)?;
        share("bare_body_rate", self.bare_body_rate, 1.0)?;
        self.faults.check()?;
        within("connections", self.connections as f64, 1.0, CONNECTIONS_MAX as f64)?;
        within("live_per_second", self.live_per_second, 0.001, 10_000.0)?;
        within("retry_factor", self.retry_factor, 1.0, 100.0)?;
        within("in_flight_max", self.in_flight_max as f64, 1.0, 10_000.0)?;
        within("waiting_max", self.waiting_max as f64, 1.0, 1_000_000.0)?;
        within("body_bytes", self.body_bytes as f64, 0.0, 1_048_576.0)?;
        within("retries_max", f64::from(self.retries_max), 0.0, 100.0)?;
        let base_time = self.base_time_unix_ms.unwrap_or_default();
        within("base_time_unix_ms", base_time as f64, 0.0, BASE_TIME_MAX_UNIX_MS)?;
        let durations = [
            ("duration", self.duration),
            ("reorder_window", self.reorder_window),
            ("retry_first", self.retry_first),
            ("retry_delay_max", self.retry_delay_max),
            ("answer_timeout", self.answer_timeout),
            ("session_lifetime", self.session_lifetime),
        ];
        durations.iter().try_for_each(|(name, found)| within(name, found.as_secs_f64(), 0.0, DURATION_MAX_S))
    }
}

/// What goes wrong in the API. Rates are shares of the requests; all are 0 by default, since the wrong answers among them
/// (`empty_list_rate`, `not_found_rate`) can convince an honest reader of a deletion when they come often enough.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Answered with 500.
    pub error_rate: f64,
    /// Answered with 429.
    pub too_many_rate: f64,
    /// The `Retry-After` of a 429, in whole seconds.
    pub retry_after_seconds: u64,
    /// Answered late ...
    pub slow_rate: f64,
    /// ... by this long.
    #[serde(with = "humantime_serde")]
    pub slow: Duration,
    /// Answered with half of what `Content-Length` says.
    pub cut_rate: f64,
    /// A list answered with `[]`.
    pub empty_list_rate: f64,
    /// A single connection answered with 404 although it is there.
    pub not_found_rate: f64,
    /// Connections answered as they were ...
    pub stale_rate: f64,
    /// ... this long ago, in every respect: what was not there then is not there now.
    #[serde(with = "humantime_serde")]
    pub stale_by: Duration,
    /// The key endpoint answers 500.
    pub keys_fail: bool,
    /// So many times in a run everything is answered with 503 ...
    pub outages: u32,
    /// ... for this long.
    #[serde(with = "humantime_serde")]
    pub outage: Duration,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            error_rate: 0.0,
            too_many_rate: 0.0,
            retry_after_seconds: 1,
            slow_rate: 0.0,
            slow: Duration::from_millis(300),
            cut_rate: 0.0,
            empty_list_rate: 0.0,
            not_found_rate: 0.0,
            stale_rate: 0.0,
            stale_by: Duration::from_millis(500),
            keys_fail: false,
            outages: 0,
            outage: Duration::from_secs(2),
        }
    }
}

impl Faults {
    fn check(&self) -> Result<(), InvalidSetting> {
        share("faults.error_rate", self.error_rate, 1.0)?;
        share("faults.too_many_rate", self.too_many_rate, 1.0)?;
        share("faults.slow_rate", self.slow_rate, 1.0)?;
        share("faults.cut_rate", self.cut_rate, 1.0)?;
        share("faults.empty_list_rate", self.empty_list_rate, 1.0)?;
        share("faults.not_found_rate", self.not_found_rate, 1.0)?;
        share("faults.stale_rate", self.stale_rate, 1.0)
    }
}

/// A setting out of its bounds.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("simulator setting `{name}` must be from {least} to {most}, but is {found}")]
pub struct InvalidSetting {
    name: &'static str,
    least: f64,
    most: f64,
    found: f64,
}

fn share(name: &'static str, found: f64, most: f64) -> Result<(), InvalidSetting> {
    within(name, found, 0.0, most)
}

fn within(name: &'static str, found: f64, least: f64, most: f64) -> Result<(), InvalidSetting> {
    if (least..=most).contains(&found) { Ok(()) } else { Err(InvalidSetting { name, least, most, found }) }
}
