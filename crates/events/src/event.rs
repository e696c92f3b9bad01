//! The feed's events: CloudEvents 1.0 in structured JSON, each about one change that a read observed (R6).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{AppName, Connection, ConnectionToken, UtcMicros};

/// One event of the feed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionEvent {
    /// Always `1.0`.
    pub specversion: String,
    /// Made of what changed: the same change has the same id, whoever observes it and however often.
    pub id: String,
    /// `/finlinkd/apps/{app}`.
    pub source: String,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// The connection's token.
    pub subject: ConnectionToken,
    /// When the read that observed it was answered.
    pub time: UtcMicros,
    /// Always `application/json`.
    pub datacontenttype: String,
    /// The state after the change.
    pub data: EventData,
}

/// What an event carries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventData {
    /// The version of the connection; a reader keeps the highest and drops what is lower.
    pub version: u64,
    /// The names of the fields that changed.
    pub changed: Vec<String>,
    /// The whole connection after the change.
    pub connection: Connection,
}

/// What happened to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum EventType {
    /// It was seen for the first time.
    #[serde(rename = "finlinkd.connection.discovered.v1")]
    Discovered,
    /// Its first import ended well.
    #[serde(rename = "finlinkd.connection.imported.v1")]
    Imported,
    /// It was updated successfully.
    #[serde(rename = "finlinkd.connection.synced.v1")]
    Synced,
    /// An update failed; older data is there.
    #[serde(rename = "finlinkd.connection.update_failed.v1")]
    UpdateFailed,
    /// Extraction failed and there is no usable data.
    #[serde(rename = "finlinkd.connection.failed.v1")]
    Failed,
    /// It left an error state.
    #[serde(rename = "finlinkd.connection.recovered.v1")]
    Recovered,
    /// A token for a manual update was issued.
    #[serde(rename = "finlinkd.connection.update_token_issued.v1")]
    UpdateTokenIssued,
    /// It waits for a person: a restore token was issued.
    #[serde(rename = "finlinkd.connection.action_required.v1")]
    ActionRequired,
    /// Something else changed.
    #[serde(rename = "finlinkd.connection.changed.v1")]
    Changed,
    /// It was deleted.
    #[serde(rename = "finlinkd.connection.deleted.v1")]
    Deleted,
    /// It is there again after having been found deleted.
    #[serde(rename = "finlinkd.connection.revived.v1")]
    Revived,
}

impl EventType {
    /// The full type name, also the routing key's last part on AMQP.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Discovered => "finlinkd.connection.discovered.v1",
            Self::Imported => "finlinkd.connection.imported.v1",
            Self::Synced => "finlinkd.connection.synced.v1",
            Self::UpdateFailed => "finlinkd.connection.update_failed.v1",
            Self::Failed => "finlinkd.connection.failed.v1",
            Self::Recovered => "finlinkd.connection.recovered.v1",
            Self::UpdateTokenIssued => "finlinkd.connection.update_token_issued.v1",
            Self::ActionRequired => "finlinkd.connection.action_required.v1",
            Self::Changed => "finlinkd.connection.changed.v1",
            Self::Deleted => "finlinkd.connection.deleted.v1",
            Self::Revived => "finlinkd.connection.revived.v1",
        }
    }
}

impl ConnectionEvent {
    /// An event about `connection`, whose id is made of its app, its token, `kind` and `value` (what changed: a `lastSync`,
    /// a token, an `updatedAt`, or a version where there is nothing better).
    pub fn new(kind: EventType, value: &str, changed: Vec<String>, connection: Connection) -> Self {
        Self {
            specversion: "1.0".to_owned(),
            id: event_id(&connection.app, &connection.token, kind, value),
            source: format!("/finlinkd/apps/{}", connection.app),
            kind,
            subject: connection.token.clone(),
            time: connection.as_of,
            datacontenttype: "application/json".to_owned(),
            data: EventData { version: connection.version, changed, connection },
        }
    }
}

/// 128 bits of a SHA-256 as hex: tokens are credentials of a kind, so they do not stand in an id in clear.
fn event_id(app: &AppName, token: &ConnectionToken, kind: EventType, value: &str) -> String {
    let mut hasher = Sha256::new();
    for part in [app.as_str(), token.as_str(), kind.as_str(), value] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    format!("{:032x}", u128::from_be_bytes(half))
}
