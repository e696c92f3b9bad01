//! The time inside one step: it starts at the `now` that the step was given and goes on with the monotonic clock, so that a
//! step in made-up time stays in made-up time, and one in real time is not moved by a clock that is set.

use events::UtcMicros;
use tokio::time::Instant;
use verification::HeardTime;

/// A step's time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: UtcMicros,
    started: Instant,
}

impl Clock {
    /// Starts at `now`.
    pub(crate) fn starting(now: UtcMicros) -> Self {
        Self { start: now, started: Instant::now() }
    }

    /// When it started.
    pub(crate) fn start(&self) -> UtcMicros {
        self.start
    }

    /// As whoever is told of it later carries it on.
    pub(crate) fn heard(&self) -> HeardTime {
        HeardTime { at: self.start, heard: self.started.into_std() }
    }

    /// The time now.
    pub(crate) fn now(&self) -> UtcMicros {
        self.start.plus(self.started.elapsed())
    }
}
