//! Named places between two steps, where the crash tests stop the process. Nothing at all in other builds.

/// The places, in the order in which a message passes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failpoint {
    InsertedNotCommitted,
    CommittedNotConfirmed,
    ReadNotClaimed,
    ClaimedNotCommitted,
    ClaimedNotHandedOut,
    RemovedNotCommitted,
    RemovedNotTold,
}

#[cfg(not(test))]
pub(crate) fn reached(_: Failpoint) {}

#[cfg(test)]
pub(crate) use super::tests::child::reached;
