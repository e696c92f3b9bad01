//! Settings of the consumer (section `consumer`).

use std::fmt;
use std::time::Duration;

use events::TokenFields;
use queue::BatchLimits;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// How batches are taken, and how long the consumer is patient with a store that is away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Messages per batch, and so per transaction. A batch costs a few syncs to disk whatever its size: with 512 a backlog is
    /// worked off about half as fast again as with 256, and beyond that little is won. From RabbitMQ come at
    /// most a quarter of what is sent ahead.
    pub batch_messages_max: usize,
    /// Bytes per batch; one larger message makes a batch of its own.
    pub batch_bytes_max: usize,
    /// After the first message of a batch, so long for more.
    #[serde(with = "humantime_serde")]
    pub linger: Duration,
    /// Batches that are being stored at one time: while one is committed, and another acknowledged, the next is read.
    pub batches_in_flight_max: usize,
    /// A message that was delivered so often without being recorded is tried once more, alone, before it is buried.
    pub delivery_limit: u32,
    /// A batch is held for so long while the store is away, then given back.
    #[serde(with = "humantime_serde")]
    pub hold_for: Duration,
    /// The first wait before the store is tried again; doubles, with jitter ...
    #[serde(with = "humantime_serde")]
    pub retry_min: Duration,
    /// ... up to this.
    #[serde(with = "humantime_serde")]
    pub retry_max: Duration,
    /// The names under which a body may name a connection; a list, or one string with commas.
    #[serde(deserialize_with = "names")]
    pub token_fields: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            batch_messages_max: 512,
            batch_bytes_max: 4 * 1024 * 1024,
            linger: Duration::from_millis(5),
            batches_in_flight_max: 3,
            delivery_limit: 20,
            hold_for: Duration::from_mins(10),
            retry_min: Duration::from_millis(100),
            retry_max: Duration::from_secs(5),
            token_fields: TokenFields::default().0,
        }
    }
}

impl Settings {
    pub(crate) fn limits(&self) -> BatchLimits {
        BatchLimits {
            count_max: self.batch_messages_max.max(1),
            bytes_max: self.batch_bytes_max.max(1),
            linger: self.linger,
        }
    }
}

/// The environment has no lists: `a,b` is read as one.
fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Names;

    impl<'de> Visitor<'de> for Names {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of field names, or one string with commas between them")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let mut names = Vec::new();
            while let Some(name) = items.next_element()? {
                names.push(name);
            }
            Ok(names)
        }
    }

    deserializer.deserialize_any(Names)
}
