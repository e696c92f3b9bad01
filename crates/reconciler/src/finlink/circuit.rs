//! An outage of Finlink is waited out: after some failures in a row one pauses, longer with each failed attempt to go on.
//!
//! Pure: times come in as arguments.

use std::time::Duration;

use events::UtcMicros;

use super::politeness::backoff;
use super::{Failure, Kind};

/// Failures in a row, and the pause that they led to.
#[derive(Debug, Clone)]
pub(crate) struct Circuit {
    from: u32,
    pause: Duration,
    pause_max: Duration,
    failures: u32,
    pauses: u32,
    until: Option<UtcMicros>,
}

impl Circuit {
    /// Pauses after `from` failures in a row for `pause`, doubling up to `pause_max`.
    pub(crate) fn new(from: u32, pause: Duration, pause_max: Duration) -> Self {
        Self { from: from.max(1), pause, pause_max, failures: 0, pauses: 0, until: None }
    }

    /// The end of the pause, where there is one.
    pub(crate) fn paused_until(&self, now: UtcMicros) -> Option<UtcMicros> {
        self.until.filter(|until| now < *until)
    }

    /// Whether the next request is the one that finds out if an outage is over: it goes alone.
    pub(crate) fn probing(&self) -> bool {
        self.pauses > 0
    }

    /// Finlink answered.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
        self.pauses = 0;
        self.until = None;
    }

    /// Finlink did not answer. True where that begins or prolongs a pause.
    fn failed(&mut self, now: UtcMicros) -> bool {
        self.failures = self.failures.saturating_add(1);
        if self.failures < self.from && self.pauses == 0 {
            return false;
        }
        self.hold(now.plus(backoff(self.pause, self.pause_max, self.pauses)));
        self.pauses = self.pauses.saturating_add(1);
        true
    }

    /// The same for a failure of any kind: one that asks for a pause gets it.
    pub(crate) fn unanswered(&mut self, failure: &Failure, now: UtcMicros) {
        match failure.kind {
            Kind::Away { .. } => {
                self.failed(now);
            }
            Kind::Busy(wait) => {
                self.failed(now);
                self.hold(now.plus(wait));
            }
            Kind::Unauthorized | Kind::NotFound | Kind::Unusable => self.succeeded(),
            Kind::Stopped => {}
        }
    }

    /// Pauses until then, whatever happened before.
    fn hold(&mut self, until: UtcMicros) {
        self.until = Some(self.until.map_or(until, |earlier| earlier.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMicros = UtcMicros(1_000_000_000);

    #[test]
    fn single_failures_do_not_pause() {
        let mut circuit = Circuit::new(3, Duration::from_secs(5), Duration::from_mins(5));
        assert!(!circuit.failed(NOW));
        assert!(!circuit.failed(NOW));
        circuit.succeeded();
        assert!(!circuit.failed(NOW));
        assert_eq!(circuit.paused_until(NOW), None);
    }

    #[test]
    fn pauses_grow_to_their_limit_and_end_with_the_first_success() {
        let mut circuit = Circuit::new(2, Duration::from_secs(5), Duration::from_mins(5));
        circuit.failed(NOW);
        assert!(circuit.failed(NOW));
        let first = circuit.paused_until(NOW).unwrap().since(NOW);
        assert!(first >= Duration::from_secs(4) && first <= Duration::from_secs(6), "{first:?}");
        let mut now = NOW;
        for _ in 0..20 {
            now = circuit.paused_until(now).unwrap();
            assert_eq!(circuit.paused_until(now), None, "the pause ends by itself");
            assert!(circuit.probing());
            assert!(circuit.failed(now), "one failed probe prolongs it");
        }
        assert!(circuit.paused_until(now).unwrap().since(now) <= Duration::from_mins(6));
        circuit.succeeded();
        assert_eq!(circuit.paused_until(now), None);
        assert!(!circuit.probing());
    }
}
