//! What a step did, and when the next one is worth while.

use events::UtcMicros;

/// One unit of work, done or found not to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What was done.
    pub did: Did,
    /// The next step is worth while from then on.
    pub next_at: UtcMicros,
}

/// What a step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Did {
    /// Read all connections of the app at once.
    Listed {
        /// Elements of the list.
        found: usize,
    },
    /// Read connections one by one.
    Read {
        /// Claims that were answered or given back.
        claims: usize,
    },
    /// Asked for a verification key.
    AskedKey,
    /// Nothing is due.
    Nothing,
    /// Another process talks to Finlink for this app.
    Standby,
    /// Something is due and has to wait; says for what.
    Paused(String),
}

impl Step {
    pub(crate) fn new(did: Did, next_at: UtcMicros) -> Self {
        Self { did, next_at }
    }
}
