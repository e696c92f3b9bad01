//! A line in the log at most every so often, with the number of those that were left out.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use events::UtcMicros;

/// The shortest time between two lines about the same outcome of the same app.
const LINES_APART: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Throttle {
    last: AtomicI64,
    left_out: AtomicU64,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { last: AtomicI64::new(i64::MIN), left_out: AtomicU64::new(0) }
    }
}

impl Throttle {
    /// `Some(left out since the last line)` where a line is due.
    pub(crate) fn due(&self, now: UtcMicros) -> Option<u64> {
        let last = self.last.load(Ordering::Relaxed);
        let due = UtcMicros(last).plus(LINES_APART) <= now || now < UtcMicros(last);
        // Of two threads that find it due, one writes.
        if due && self.last.compare_exchange(last, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return Some(self.left_out.swap(0, Ordering::Relaxed));
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_and_a_number() {
        let throttle = Throttle::default();
        let start = UtcMicros(1_000_000_000_000_000);
        assert_eq!(throttle.due(start), Some(0));
        for _ in 0..7 {
            assert_eq!(throttle.due(start.plus(Duration::from_secs(9))), None);
        }
        assert_eq!(throttle.due(start.plus(LINES_APART)), Some(7));
        assert_eq!(throttle.due(start), Some(0), "a clock that was set back silences nothing");
    }
}
