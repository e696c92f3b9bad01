//! Settings of the queue (section `queue`).

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
