//! Settings of the PostgreSQL engine (section `postgres`). The address holds a password and is passed beside them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the engine is told. Each limit of the server's is longer than what it guards needs, and shorter than
/// `answer_timeout`, so that the server says what was wrong before nobody does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Connections of this process; more transactions than that wait for one.
    pub connections_max: usize,
    /// How long a connection may take to open.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// The longest that a statement may run (`statement_timeout`).
    #[serde(with = "humantime_serde")]
    pub statement_timeout: Duration,
    /// The longest that a statement may wait for a lock (`lock_timeout`).
    #[serde(with = "humantime_serde")]
    pub lock_timeout: Duration,
    /// The longest that a transaction of this process may wait for it (`idle_in_transaction_session_timeout`): a process that
    /// is frozen in the middle of one holds nobody up for longer.
    #[serde(with = "humantime_serde")]
    pub idle_timeout: Duration,
    /// A connection on which a transaction takes longer is left behind, whatever became of it; also the longest that a
    /// transaction waits for a connection.
    #[serde(with = "humantime_serde")]
    pub answer_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connections_max: 8,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(20),
            lock_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(30),
        }
    }
}
