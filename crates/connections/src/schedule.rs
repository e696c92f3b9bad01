//! When to look at a connection again (R4). Every figure is a setting.

use std::time::Duration;

use events::UtcMicros;
use serde::{Deserialize, Serialize};

use crate::read::Cause;

/// The figures of R2, R3, R4 and R11; the defaults are the design's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// PENDING or UPDATING: look again after this long.
    #[serde(with = "humantime_serde")]
    pub running: Duration,
    /// READY and updated by itself: so long after `lastSync` something should have been heard.
    #[serde(with = "humantime_serde")]
    pub automatic: Duration,
    /// READY and updated by hand.
    #[serde(with = "humantime_serde")]
    pub manual: Duration,
    /// In error and retryable.
    #[serde(with = "humantime_serde")]
    pub retryable: Duration,
    /// Everything else.
    #[serde(with = "humantime_serde")]
    pub other: Duration,
    /// Never sooner than this after the last read; doubles with each unchanged read ...
    #[serde(with = "humantime_serde")]
    pub floor: Duration,
    /// ... up to this.
    #[serde(with = "humantime_serde")]
    pub floor_max: Duration,
    /// Never later than this after the last read.
    #[serde(with = "humantime_serde")]
    pub ceiling: Duration,
    /// The second look after a read that went back, and after a hinted read that changed nothing (R2).
    #[serde(with = "humantime_serde")]
    pub second_look: Duration,
    /// The two rounds of evidence for a deletion lie this far apart (R3).
    #[serde(with = "humantime_serde")]
    pub deletion_rounds_apart: Duration,
    /// A hint is answered by a read no sooner than this after the last read (R11).
    #[serde(with = "humantime_serde")]
    pub hinted_reads_apart: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        const MINUTE: Duration = Duration::from_mins(1);
        const HOUR: Duration = Duration::from_hours(1);
        Self {
            running: 5 * MINUTE,
            automatic: 26 * HOUR,
            manual: 7 * 24 * HOUR,
            retryable: HOUR,
            other: 24 * HOUR,
            floor: 5 * MINUTE,
            floor_max: 24 * HOUR,
            ceiling: 7 * 24 * HOUR,
            second_look: MINUTE,
            deletion_rounds_apart: 10 * MINUTE,
            hinted_reads_apart: Duration::from_secs(10),
        }
    }
}

/// When a connection is looked at next, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Due at this time without any hint.
    pub scheduled_at: UtcMicros,
    /// Not before this time, hint or not.
    pub not_before: UtcMicros,
    /// Why it is scheduled.
    pub cause: Cause,
}
