//! What is known of one connection: the newest read that counted, and the evidence that is still being gathered.

use events::{AppName, Connection, ConnectionStatus, ConnectionToken, UtcMicros};
use serde_json::Value;

use crate::absence::Absence;
use crate::announced::Announced;
use crate::regression::Regression;

/// A connection as the store keeps it. `absence`, `regression` and `announced` go through serde, so that a store may keep
/// each as one value; the rest is meant for columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The app it belongs to.
    pub app: AppName,
    /// Finlink's words for it in the newest read that counted and found it.
    pub status: ConnectionStatus,
    /// The same as it came, unknown fields and unreadable values included.
    pub raw: Value,
    /// Rises by one with every observed change.
    pub version: u64,
    /// The number of the read that `status` is from (R2). Reads that did not find it have their numbers in `absence`.
    pub read_no: u64,
    /// When that read was answered.
    pub as_of: UtcMicros,
    /// When it was found to be deleted.
    pub deleted_at: Option<UtcMicros>,
    /// How many scheduled reads in a row found nothing new; stretches the schedule (R4).
    pub unchanged_reads: u32,
    /// Signs that it may have been deleted, since it was last there (R3).
    pub absence: Absence,
    /// Reads whose `updatedAt` went back and that wait for their repetition (R2).
    pub regression: Option<Regression>,
    /// Which events were made of it lately, so that no two of them share an id (R6).
    pub announced: Announced,
}

impl Known {
    /// Its id.
    pub fn token(&self) -> &ConnectionToken {
        &self.status.credentials_token
    }

    /// The user's view of it. Of a deleted one Finlink last said something when it was found to be deleted.
    pub fn view(&self) -> Connection {
        let said_at = self.deleted_at.unwrap_or(self.as_of);
        Connection::from_status(self.app.clone(), &self.status, self.version, said_at, self.deleted_at)
    }
}
