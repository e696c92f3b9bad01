//! The time by which a webhook is dated and judged.
//!
//! No clock of an ingress decides anything (R1): where it is known to be off, the store's counts. And a webhook that is right by
//! either is right, since it is not the sender's fault which of them is wrong. What is wrong by our own before the store's was
//! ever heard of is not decided here (`receiver.rs`).

use std::time::Duration;

use events::UtcMicros;
use verification::KeySnapshot;

/// Less is no difference: a token may be five minutes from the future.
const APART_MAX: Duration = Duration::from_secs(10);
/// The store's time is carried on for so long after it was heard of. Then it is only a second opinion: a machine that was put to
/// sleep carries it on wrongly.
const CARRIED_MAX: Duration = Duration::from_mins(5);

/// What this machine and the store say the time is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clocks {
    now: UtcMicros,
    other: Option<UtcMicros>,
}

impl Clocks {
    /// The time `own` by this machine, beside what was heard of the store's.
    pub(crate) fn beside(own: UtcMicros, snapshot: &KeySnapshot) -> Self {
        let Some(time) = snapshot.time else { return Self { now: own, other: None } };
        let heard_for = time.heard.elapsed();
        Self::of(own, time.at.plus(heard_for), heard_for)
    }

    /// The same where the store's time, carried on for so long, is `shared`.
    fn of(own: UtcMicros, shared: UtcMicros, carried_for: Duration) -> Self {
        let apart = own.since(shared).max(shared.since(own));
        if apart <= APART_MAX {
            Self { now: own, other: None }
        } else if carried_for > CARRIED_MAX {
            Self { now: own, other: Some(shared) }
        } else {
            Self { now: shared, other: Some(own) }
        }
    }

    /// The time that counts.
    pub(crate) fn now(self) -> UtcMicros {
        self.now
    }

    /// The other, where they differ.
    pub(crate) fn other(self) -> Option<UtcMicros> {
        self.other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stores_time_counts_where_it_is_another_and_fresh() {
        let own = UtcMicros(1_800_000_000_000_000);
        let told = |shared, carried_for| {
            let Clocks { now, other } = Clocks::of(own, shared, carried_for);
            (now, other)
        };
        for shared in [own.plus(APART_MAX), own.minus(APART_MAX)] {
            assert_eq!(told(shared, Duration::ZERO), (own, None));
        }
        for shared in [own.plus(APART_MAX * 2), own.minus(APART_MAX * 2)] {
            assert_eq!(told(shared, CARRIED_MAX), (shared, Some(own)));
            assert_eq!(told(shared, CARRIED_MAX * 2), (own, Some(shared)), "a machine may have slept since");
        }
    }
}
