//! What is known of one connection: the newest read that counted, and the evidence that is still being gathered.

use events::{AppName, Connection, ConnectionStatus, ConnectionToken, UtcMicros};
use serde_json::Value;

/// A connection as the store keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The app it belongs to.
    pub app: AppName,
    /// Finlink's words for it in the newest read that counted.
    pub status: ConnectionStatus,
    /// The same as it came, unknown fields and unreadable values included.
    pub raw: Value,
    /// Rises by one with every observed change.
    pub version: u64,
    /// The number of the newest read that counted (R2).
    pub read_no: u64,
    /// When that read was answered.
    pub as_of: UtcMicros,
    /// When it was found to be deleted.
    pub deleted_at: Option<UtcMicros>,
    /// How many reads in a row found nothing new; stretches the schedule (R4).
    pub unchanged_reads: u32,
    /// Signs that it may have been deleted, since it was last there (R3).
    pub absence: Absence,
    /// A read whose `updatedAt` went back and that waits for its repetition (R2).
    pub regression: Option<Regression>,
}

impl Known {
    /// Its id.
    pub fn token(&self) -> &ConnectionToken {
        &self.status.credentials_token
    }

    /// The user's view of it.
    pub fn view(&self) -> Connection {
        Connection::from_status(self.app.clone(), &self.status, self.version, self.as_of, self.deleted_at)
    }
}

/// Signs of a deletion: the first and the latest time each of the two questions was answered with "not there", by a read
/// newer than the last one that found it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Absence {
    /// First 404 of the connection itself.
    pub first_not_found: Option<UtcMicros>,
    /// Latest 404 of the connection itself.
    pub latest_not_found: Option<UtcMicros>,
    /// First complete list without it.
    pub first_not_listed: Option<UtcMicros>,
    /// Latest complete list without it.
    pub latest_not_listed: Option<UtcMicros>,
}

impl Absence {
    /// Whether there is any sign at all.
    pub fn suspected(&self) -> bool {
        self.first_not_found.is_some() || self.first_not_listed.is_some()
    }
}

/// A read that went back in time and does not count yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Regression {
    /// Its number.
    pub read_no: u64,
    /// When it was answered.
    pub seen_at: UtcMicros,
}
