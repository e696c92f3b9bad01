//! Why the store did not do as asked. Each variant is a decision for the caller.

use events::Receipt;

/// Why the store did not do as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached or written just now; the same call may succeed later. Nothing was changed.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// Something outside the call stood in its way: another's lock, a limit of time, a full disk. What was to be written is not
    /// to blame, however often this comes; the same call may succeed later. Nothing was changed.
    #[error("the store is unavailable: {0}")]
    Obstructed(String),
    /// One reading cannot be stored, and never will be; the rest of the batch can. Nothing was changed.
    #[error("the store cannot take the delivery {0}: {1}")]
    Culprit(Receipt, String),
    /// The store is not one that this program can work with: a newer schema, a missing migration, an app pinned to another
    /// `client_id`. A person has to act.
    #[error("the store does not fit: {0}")]
    Incompatible(String),
    /// Another process holds the lease now; whatever was asked for was not done.
    #[error("the lease on {0} is lost: another reconciler talks to Finlink now")]
    Fenced(events::AppName),
}
