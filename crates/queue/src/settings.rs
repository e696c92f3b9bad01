//! Settings of the queue (section `queue`) and of the spool before a broker (section `spool`).

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What every engine is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The folder of the embedded engine's file.
    #[serde(skip)]
    pub folder: PathBuf,
    /// The most that may wait, in bytes of bodies and envelopes; more is refused as [`crate::PublishError::Full`].
    pub bytes_max: u64,
    /// Publishes that may wait for the writer at one time; more wait at the door.
    pub publishes_in_flight_max: usize,
    /// How long a publish may take before its outcome counts as unknown.
    #[serde(with = "humantime_serde")]
    pub publish_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            folder: PathBuf::from("./data"),
            bytes_max: 10 * 1024 * 1024 * 1024,
            publishes_in_flight_max: 4096,
            publish_timeout: Duration::from_secs(5),
        }
    }
}

/// What a [`crate::spooled::Spooled`] publisher is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpoolSettings {
    /// The folder of the spools, a numbered folder in it for each instance.
    #[serde(skip)]
    pub folder: PathBuf,
    /// The most that one instance's spool may hold, in bytes of bodies and envelopes.
    pub bytes_max: u64,
    /// Bytes of the disk that are left to others: with less than this free, the spool refuses. 16 MiB at least, which it may
    /// need to remove what it has.
    pub reserve_bytes: u64,
    /// How long the broker may be silent about a message before it goes to the spool.
    #[serde(with = "humantime_serde")]
    pub broker_timeout: Duration,
    /// Publishes that may wait for the spool's disk at one time; more wait at the door.
    pub publishes_in_flight_max: usize,
    /// How long the spool's disk may take.
    #[serde(with = "humantime_serde")]
    pub disk_timeout: Duration,
    /// Spooled messages on their way to the broker at one time.
    pub drain_in_flight_max: usize,
    /// How often spools of instances that ended are looked for.
    #[serde(with = "humantime_serde")]
    pub adopt_every: Duration,
}

impl Default for SpoolSettings {
    fn default() -> Self {
        Self {
            folder: PathBuf::from("./data/spool"),
            bytes_max: 10 * 1024 * 1024 * 1024,
            reserve_bytes: 1024 * 1024 * 1024,
            broker_timeout: Duration::from_secs(2),
            publishes_in_flight_max: 4096,
            disk_timeout: Duration::from_secs(5),
            drain_in_flight_max: 64,
            adopt_every: Duration::from_secs(30),
        }
    }
}
