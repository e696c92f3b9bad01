//! Growing pauses between attempts.

use std::time::Duration;

/// Doubles from one pause to the next, up to a most.
pub(super) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// The pause to make now.
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.most);
        pause
    }

    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }
}
