//! Settings of the store (section `store`), and the rules that it applies inside its transactions.

use std::path::PathBuf;
use std::time::Duration;

use connections::{Cause, Schedule};
use events::UtcMicros;
use serde::{Deserialize, Serialize};

/// What every engine is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder of the embedded engine's file.
    pub folder: PathBuf,
    /// Whether to bring an older schema up to date when opening.
    pub migrate: MigrateMode,
    /// The rules applied inside transactions.
    pub rules: Rules,
}

/// What to do about an older schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MigrateMode {
    /// Migrate it.
    Auto,
    /// Refuse to start and say which command migrates it.
    Check,
}

/// The figures that hold inside transactions (section `rules`; the schedule has a section of its own).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// When a connection is looked at again.
    #[serde(skip)]
    pub schedule: Schedule,
    /// Time between two sweeps (lists of a whole app) of which nobody hinted.
    #[serde(with = "humantime_serde")]
    pub sweep_every: Duration,
    /// More than this many missing connections of an app at once wait for an operator (R3) ...
    pub deletions_at_once_max: u64,
    /// ... where it is also more than this share of the app's connections, in percent.
    pub deletions_at_once_percent: u64,
    /// Announce what an app's first sweep finds (R6).
    pub announce_existing: bool,
    /// Bodies kept per app, in bytes; beyond it a body is recorded by its hash alone (R11).
    pub body_bytes_per_app_max: u64,
    /// A pending webhook is rejected when its key could not be learned within this time (R10).
    #[serde(with = "humantime_serde")]
    pub pending_for_max: Duration,
    /// A key that was answered with 404 so often ...
    pub unknown_key_answers: u32,
    /// ... over at least this time does not exist (R10).
    #[serde(with = "humantime_serde")]
    pub unknown_key_within: Duration,
    /// A gap counts as open for so long: within it the sender may still retry (then its webhook is lost).
    #[serde(with = "humantime_serde")]
    pub gap_open_for: Duration,
}

impl Rules {
    /// When a list is wanted again after one that answered `cause`. One that answered hints is repeated once after the second
    /// look's time: the API may lag the webhook that hinted, and the list shows a connection that it did not have yet (R2).
    pub(crate) fn next_sweep(&self, cause: Cause, now: UtcMicros) -> UtcMicros {
        now.plus(if cause == Cause::Hint { self.schedule.second_look.min(self.sweep_every) } else { self.sweep_every })
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            schedule: Schedule::default(),
            sweep_every: Duration::from_hours(1),
            deletions_at_once_max: 5,
            deletions_at_once_percent: 1,
            announce_existing: false,
            body_bytes_per_app_max: 2 * 1024 * 1024 * 1024,
            pending_for_max: Duration::from_hours(25),
            unknown_key_answers: 3,
            unknown_key_within: Duration::from_mins(10),
            gap_open_for: Duration::from_hours(25),
        }
    }
}
