//! Settings of every listener (section `http`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a listener allows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Threads that serve requests; 0 means one per core. At most [`Limits::WORKERS_MAX`] are started.
    pub workers: usize,
    /// How long an idle connection is kept. Longer than the 60 s of the usual load balancers: whoever closes first must not
    /// be us, or a webhook runs into a closing connection.
    #[serde(with = "humantime_serde")]
    pub keep_alive: Duration,
    /// How long a connection is used; with an answer between half of this and all of it, it ends in order. A proxy that keeps
    /// connections open finds processes that were started since as soon as that. With 0 each connection has one answer.
    #[serde(with = "humantime_serde")]
    pub connection_age_max: Duration,
    /// How long the head of a connection's first request may take.
    #[serde(with = "humantime_serde")]
    pub head_timeout: Duration,
    /// How long a connection may take to close, once its last answer is written.
    #[serde(with = "humantime_serde")]
    pub disconnect_timeout: Duration,
    /// Connections open at one time; more wait in the backlog.
    pub connections_max: usize,
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// How long requests in flight may take after the stop, in whole seconds; then their connections are cut.
    #[serde(with = "humantime_serde")]
    pub shutdown_timeout: Duration,
    /// Take a client that has ended its half of the connection for one that is gone, and drop what was being done for it.
    /// Not a setting: a listener whose answers take long, and may never come, sets it for itself. Elsewhere such a client
    /// gets its answer.
    #[serde(skip)]
    pub drop_half_closed: bool,
}

impl Limits {
    /// The most threads of one listener.
    pub const WORKERS_MAX: usize = 512;

    /// The number of threads to start.
    pub(crate) fn workers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let wanted = if self.workers == 0 { cores() } else { self.workers };
        wanted.clamp(1, Self::WORKERS_MAX)
    }

    /// Each thread's share of the connections.
    pub(crate) fn connections_per_worker(&self) -> usize {
        self.connections_max.div_ceil(self.workers()).max(1)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            workers: 0,
            keep_alive: Duration::from_secs(75),
            connection_age_max: Duration::from_secs(30),
            head_timeout: Duration::from_secs(10),
            disconnect_timeout: Duration::from_secs(2),
            connections_max: 10_000,
            backlog: 1024,
            shutdown_timeout: Duration::from_secs(30),
            drop_half_closed: false,
        }
    }
}
