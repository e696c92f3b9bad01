//! Settings of the receiver (section `ingress`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the receiver allows, and how long it waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The largest body, in bytes.
    pub body_bytes_max: usize,
    /// The largest head, request line and headers together, in bytes.
    pub header_bytes_max: usize,
    /// How long a body may take to arrive, from its head.
    #[serde(with = "humantime_serde")]
    pub body_timeout: Duration,
    /// Requests in flight at one time; more are told to come again.
    pub in_flight_max: usize,
    /// Bytes of bodies in flight at one time, as read.
    pub in_flight_bytes_max: usize,
    /// How long a request waits for its message to be durable; the attempt goes on without it.
    #[serde(with = "humantime_serde")]
    pub publish_timeout: Duration,
    /// What `Retry-After` says with 429 and 503.
    #[serde(with = "humantime_serde")]
    pub retry_after: Duration,
    /// Unknown keys of one app that may be met for the first time at once, while the key source answers ...
    pub unknown_keys_burst: u32,
    /// ... and how many more each second.
    pub unknown_keys_per_second: u32,
    /// Unknown keys of one app that are remembered as met before, in some 50 bytes each; half of them is forgotten at a time.
    pub unknown_keys_remembered: usize,
    /// Webhooks of one app whose unknown keys were met before and that may come at once, while the key source answers ...
    pub pending_burst: u32,
    /// ... and how many more each second. One key that had a tenth of either leaves half of what may come to others.
    pub pending_per_second: u32,
    /// A key source that has not answered for this long, by the store's clock, is silent: then only storage bounds what is
    /// pending.
    #[serde(with = "humantime_serde")]
    pub key_source_silent_after: Duration,
    /// After the stop, go on accepting for this long, so that balancers notice first.
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
    /// How often a mark is left in the books (R8), also when nothing comes.
    #[serde(with = "humantime_serde")]
    pub checkpoint_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            body_bytes_max: 256 * 1024,
            header_bytes_max: 16 * 1024,
            body_timeout: Duration::from_secs(10),
            in_flight_max: 8192,
            in_flight_bytes_max: 64 * 1024 * 1024,
            publish_timeout: Duration::from_secs(8),
            retry_after: Duration::from_secs(30),
            unknown_keys_burst: 1000,
            unknown_keys_per_second: 50,
            unknown_keys_remembered: 65_536,
            pending_burst: 1000,
            pending_per_second: 50,
            key_source_silent_after: Duration::from_mins(1),
            grace: Duration::from_secs(5),
            checkpoint_every: Duration::from_secs(10),
        }
    }
}
