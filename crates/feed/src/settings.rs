//! Settings of the feed and of the user's API (section `feed`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A shorter turn would be taken from a feed by any pause of its machine, and prolonged all the time.
pub const RELAY_LEASE_MIN: Duration = Duration::from_secs(1);

/// How events are numbered, and what a reader of the API may ask for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Events numbered in one transaction.
    pub number_at_once_max: usize,
    /// After events were numbered, the next look comes this soon; doubles with each look that finds none ...
    #[serde(with = "humantime_serde")]
    pub poll_min: Duration,
    /// ... up to this. The most that numbering adds to an event's way.
    #[serde(with = "humantime_serde")]
    pub poll_max: Duration,
    /// Events for the broker's exchange are looked for at least this often; sooner when this process numbers some.
    #[serde(with = "humantime_serde")]
    pub relay_every: Duration,
    /// So long a feed that vanished keeps others from relaying in its place; [`RELAY_LEASE_MIN`] at least.
    #[serde(with = "humantime_serde")]
    pub relay_lease: Duration,
    /// The longest that one request may wait for events.
    #[serde(with = "humantime_serde")]
    pub wait_max: Duration,
    /// Requests that may wait for events at one time; more are answered with 503.
    pub waiting_max: usize,
    /// Streams (SSE) open at one time; more are answered with 503.
    pub streams_max: usize,
    /// Events that a stream reads from the store at once, and so holds in memory.
    pub stream_page_max: usize,
    /// A stream without events sends a comment this often, so that both ends notice when the other is gone.
    #[serde(with = "humantime_serde")]
    pub heartbeat_every: Duration,
    /// A stream whose reader takes nothing for so long is dropped.
    #[serde(with = "humantime_serde")]
    pub stalled_for_max: Duration,
    /// How long `fresh_within` waits for a read of Finlink; then the row is given as it is.
    #[serde(with = "humantime_serde")]
    pub fresh_wait_max: Duration,
    /// Requests that may wait for a read at one time; more are given the row as it is.
    pub fresh_waiting_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            number_at_once_max: 1000,
            poll_min: Duration::from_millis(50),
            poll_max: Duration::from_millis(500),
            relay_every: Duration::from_secs(1),
            relay_lease: Duration::from_secs(10),
            wait_max: Duration::from_mins(1),
            waiting_max: 1000,
            streams_max: 200,
            stream_page_max: 100,
            heartbeat_every: Duration::from_secs(15),
            stalled_for_max: Duration::from_secs(30),
            fresh_wait_max: Duration::from_secs(10),
            fresh_waiting_max: 64,
        }
    }
}
