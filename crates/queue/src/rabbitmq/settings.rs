//! Settings of the RabbitMQ engine (section `rabbitmq`). The addresses hold passwords and are passed beside them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Dead letters sent ahead, at most: few come, nobody waits for them, and they may be of the largest size.
const DEAD_LETTERS_PREFETCH: u16 = 16;

/// What the engine is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How long a connection may take to open, its topology checked and its channels open.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// The first pause between two tries to connect; doubles ...
    #[serde(with = "humantime_serde")]
    pub reconnect_after_min: Duration,
    /// ... up to this.
    #[serde(with = "humantime_serde")]
    pub reconnect_after_max: Duration,
    /// Connections that publish, each used by one task: one for everyone, and one for each worker thread of the HTTP server
    /// up to this number; more workers use the one for everyone.
    pub lanes_max: usize,
    /// Messages published and not confirmed, over all lanes; more wait.
    pub in_flight_max: usize,
    /// Their bytes; more wait.
    pub in_flight_bytes_max: usize,
    /// A confirm that takes longer leaves its connection behind: everything on it has an unknown outcome. Where the broker
    /// blocks publishers the connection stays, and only the outcome is unknown.
    #[serde(with = "humantime_serde")]
    pub confirm_abandoned_after: Duration,
    /// A queue that was declared for the first time is not used for so long: until then the broker may not survive its own
    /// death with it.
    #[serde(with = "humantime_serde")]
    pub new_queue_settles_for: Duration,
    /// The largest body, in bytes. A larger one is refused before it is sent. Where it is found in a queue it becomes a dead
    /// letter, a webhook of ours as a whole. The same on every role; who raises it begins with the broker's own limit, its
    /// `max_message_size`, which cannot be asked for, and ends with ingress.
    pub message_bytes_max: usize,
    /// Messages sent to a consumer ahead of its acknowledgements ...
    pub prefetch: u16,
    /// ... and fewer where so many bodies of the largest size would take more than this, in bytes. It is what a consumer holds
    /// when its store is away.
    pub prefetch_bytes_max: usize,
    /// The most that the queue may hold, in bytes of bodies; more is refused. Part of the queue's declaration.
    pub queue_bytes_max: u64,
    /// The same for the queue of dead letters.
    pub dead_letters_bytes_max: u64,
}

impl Settings {
    /// Messages sent ahead from the queue of webhooks. The broker counts messages and no bytes, and what it sends is in memory
    /// however long nobody takes it, so that the worst case is what counts: all of the largest size.
    pub(super) fn webhooks_ahead(&self) -> u16 {
        let fit = self.prefetch_bytes_max / self.message_bytes_max.max(1);
        // None at all would be no limit.
        self.prefetch.min(u16::try_from(fit).unwrap_or(u16::MAX)).max(1)
    }

    /// The same from the queue of dead letters.
    pub(super) fn dead_letters_ahead(&self) -> u16 {
        self.webhooks_ahead().min(DEAD_LETTERS_PREFETCH)
    }

    /// How long to wait after so many failures in a row: doubling, with jitter, so that many clients do not come at once.
    pub(super) fn pause(&self, failures: u32) -> Duration {
        let longest = self.reconnect_after_min.saturating_mul(1 << failures.min(16));
        longest.min(self.reconnect_after_max).mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            reconnect_after_min: Duration::from_millis(250),
            reconnect_after_max: Duration::from_secs(15),
            lanes_max: 8,
            in_flight_max: 8192,
            in_flight_bytes_max: 64 * 1024 * 1024,
            confirm_abandoned_after: Duration::from_secs(15),
            new_queue_settles_for: Duration::from_secs(3),
            message_bytes_max: 256 * 1024,
            prefetch: 2000,
            prefetch_bytes_max: 256 * 1024 * 1024,
            queue_bytes_max: 10 * 1024 * 1024 * 1024,
            dead_letters_bytes_max: 1024 * 1024 * 1024,
        }
    }
}
