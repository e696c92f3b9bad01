//! The time by which a webhook is dated and judged.
//!
//! No clock of an ingress decides anything (R1): where it is known to be off, the store's counts. And a webhook that is right by
//! either is right, since it is not the sender's fault which of them is wrong.

use std::time::Duration;

use events::UtcMicros;
use verification::KeySnapshot;

/// Less is no difference: a token may be five minutes from the future.
const APART_MAX: Duration = Duration::from_secs(10);

/// What this machine and the store say the time is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clocks {
    own: UtcMicros,
    /// Only where it is known and another.
    shared: Option<UtcMicros>,
}

impl Clocks {
    /// The time `own` by this machine, beside what was heard of the store's.
    pub(crate) fn beside(own: UtcMicros, snapshot: &KeySnapshot) -> Self {
        let shared = snapshot.time.map(|time| time.at.plus(time.heard.elapsed()));
        Self { own, shared: shared.filter(|shared| own.since(*shared).max(shared.since(own)) > APART_MAX) }
    }

    /// The time that counts.
    pub(crate) fn now(self) -> UtcMicros {
        self.shared.unwrap_or(self.own)
    }

    /// The other, where they differ.
    pub(crate) fn other(self) -> Option<UtcMicros> {
        self.shared.map(|_| self.own)
    }
}
