//! Finlink's connection status, read leniently: only the id and the status word are required; what we do not know is kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ConnectionToken, UtcMicros, lenient};

/// The answer of `GET /queries/connections/{token}` and an element of the list, in Finlink's field names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionStatus {
    /// The connection's id.
    pub credentials_token: ConnectionToken,
    /// Where its data stands.
    pub status: Status,
    /// Why it is in error, where it is.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub error_details: Option<ErrorDetails>,
    /// The financial entity, such as `santander`.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// When it was created.
    #[serde(default, deserialize_with = "lenient::time", skip_serializing_if = "Option::is_none")]
    pub created_at: Option<UtcMicros>,
    /// The last update, even one that failed.
    #[serde(default, deserialize_with = "lenient::time", skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<UtcMicros>,
    /// The last successful update.
    #[serde(default, deserialize_with = "lenient::time", skip_serializing_if = "Option::is_none")]
    pub last_sync: Option<UtcMicros>,
    /// Starts a manual update in Finlink's widget; consumed by use.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub update_token: Option<String>,
    /// Present while the connection waits for a person.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub restore_token: Option<String>,
    /// A second factor is needed, so there is no automatic update.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub two_factor_enabled: Option<bool>,
    /// Credentials are stored for automatic updates.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub has_credentials: Option<bool>,
    /// The integrator's own grouping id.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Fields that this version does not know, as they came.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Why an answer is not a connection status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a connection status: {0}")]
pub struct NotAStatus(pub String);

impl ConnectionStatus {
    /// Reads one connection status from its JSON value.
    pub fn from_value(value: Value) -> Result<Self, NotAStatus> {
        serde_json::from_value(value).map_err(|error| NotAStatus(error.to_string()))
    }

    /// Whether its first import or an update runs.
    pub fn is_running(&self) -> bool {
        matches!(self.status, Status::Pending | Status::Updating)
    }

    /// Whether Finlink updates it by itself every day.
    pub fn updates_by_itself(&self) -> bool {
        self.has_credentials == Some(true) && self.two_factor_enabled != Some(true) && self.restore_token.is_none()
    }
}

/// The status word. It may grow: an unknown word is kept and treated as "no rule applies".
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(from = "String", into = "String")]
#[schemars(with = "String")]
pub enum Status {
    /// The first import runs.
    Pending,
    /// The last extraction was correct.
    Ready,
    /// An update runs.
    Updating,
    /// Extraction failed and there is no usable data.
    Errored,
    /// The last update failed; older data is there.
    UpdateError,
    /// A word that this version does not know.
    Other(String),
}

impl Status {
    /// The word as Finlink writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "PENDING",
            Self::Ready => "READY",
            Self::Updating => "UPDATING",
            Self::Errored => "ERRORED",
            Self::UpdateError => "UPDATE_ERROR",
            Self::Other(word) => word,
        }
    }

    /// Whether it is one of the two error states.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Errored | Self::UpdateError)
    }

    /// A label of bounded cardinality: unknown words are `OTHER`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Ready => "READY",
            Self::Updating => "UPDATING",
            Self::Errored => "ERRORED",
            Self::UpdateError => "UPDATE_ERROR",
            Self::Other(_) => "OTHER",
        }
    }
}

impl From<String> for Status {
    fn from(word: String) -> Self {
        match word.as_str() {
            "PENDING" => Self::Pending,
            "READY" => Self::Ready,
            "UPDATING" => Self::Updating,
            "ERRORED" => Self::Errored,
            "UPDATE_ERROR" => Self::UpdateError,
            _ => Self::Other(word),
        }
    }
}

impl From<Status> for String {
    fn from(status: Status) -> Self {
        status.as_str().to_owned()
    }
}

/// Why a connection is in an error state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorDetails {
    /// Finlink's explanation.
    #[serde(default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Such as `INTERNAL_SERVER_ERROR` or `VUMI_ERROR`.
    #[serde(rename = "type", default, deserialize_with = "lenient::text", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Whether trying again may help.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
}
