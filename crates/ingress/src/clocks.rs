//! The time by which a webhook is dated and judged.
//!
//! No clock of an ingress decides anything (R1): where it is known to be off, the store's counts. And a webhook that is right by
//! either is right, since it is not the sender's fault which of them is wrong.

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
        let heard = time.heard.elapsed();
        let shared = time.at.plus(heard);
        match own.since(shared).max(shared.since(own)) > APART_MAX {
            false => Self { now: own, other: None },
            true if heard > CARRIED_MAX => Self { now: own, other: Some(shared) },
            true => Self { now: shared, other: Some(own) },
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
