//! When to look at a connection again (R4). Every figure is a setting.

use std::time::Duration;

use events::{ConnectionStatus, Status, UtcMicros};
use serde::{Deserialize, Serialize};

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
    /// Never sooner than this after the last read; doubles with each scheduled read that found nothing new ...
    #[serde(with = "humantime_serde")]
    pub floor: Duration,
    /// ... up to this.
    #[serde(with = "humantime_serde")]
    pub floor_max: Duration,
    /// Never later than this after the last read.
    #[serde(with = "humantime_serde")]
    pub ceiling: Duration,
    /// The second look after a read that went back, and after a hinted read that changed nothing or found an update still
    /// running (R2).
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

impl Schedule {
    /// When something should have been heard of a connection by, if nothing hints at it before. Always after `last_read`,
    /// whatever the figures are and whatever the sender's clock says.
    pub fn next_due(&self, status: &ConnectionStatus, unchanged_reads: u32, last_read: UtcMicros) -> UtcMicros {
        let soonest = last_read.plus(self.floor_after(unchanged_reads));
        let latest = last_read.plus(self.ceiling);
        self.expected(status, last_read).max(soonest).min(latest).max(just_after(last_read))
    }

    fn expected(&self, status: &ConnectionStatus, last_read: UtcMicros) -> UtcMicros {
        let retryable = || status.error_details.as_ref().is_some_and(|details| details.retryable == Some(true));
        match status.status {
            Status::Pending | Status::Updating => last_read.plus(self.running),
            Status::Ready if status.updates_by_itself() => status.last_sync.unwrap_or(last_read).plus(self.automatic),
            Status::Ready => last_read.plus(self.manual),
            Status::Errored | Status::UpdateError if retryable() => last_read.plus(self.retryable),
            Status::Errored | Status::UpdateError | Status::Other(_) => last_read.plus(self.other),
        }
    }

    fn floor_after(&self, unchanged_reads: u32) -> Duration {
        self.floor.saturating_mul(2_u32.saturating_pow(unchanged_reads)).min(self.floor_max)
    }
}

/// The first moment after `time`.
pub(crate) fn just_after(time: UtcMicros) -> UtcMicros {
    time.plus(Duration::from_micros(1))
}
