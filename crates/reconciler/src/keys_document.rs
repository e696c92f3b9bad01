//! What passes from the reconciler's internal listener to an ingress of another process: public keys, no secret.

use std::collections::BTreeMap;

use events::{AppName, UtcMicros};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;
use verification::KeySet;

/// The path that serves it.
pub(crate) const KEYS_PATH: &str = "/internal/keys";

/// All keys known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeysDocument {
    /// When the store was last read.
    pub(crate) read_at: Option<UtcMicros>,
    /// The store's time when this was made, as far as it is known.
    #[serde(default)]
    pub(crate) at: Option<UtcMicros>,
    /// For each app, when Finlink last could be asked for its keys.
    #[serde(default)]
    pub(crate) answered: BTreeMap<AppName, UtcMicros>,
    pub(crate) keys: Vec<KeyEntry>,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeyEntry {
    pub(crate) app: AppName,
    pub(crate) kid: Uuid,
    pub(crate) jwk: Value,
}

impl KeysDocument {
    /// The keys that are keys; whatever else stands there is left out, with a warning.
    pub(crate) fn key_set(&self) -> KeySet {
        let mut set = KeySet::default();
        for KeyEntry { app, kid, jwk } in &self.keys {
            if let Err(error) = set.insert(app, *kid, jwk) {
                tracing::warn!(%app, %kid, %error, "an entry of the keys is left out");
            }
        }
        set
    }
}
