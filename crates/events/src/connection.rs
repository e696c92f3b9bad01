//! A connection as a user of finlinkd sees it: in the API, in events and in `finlinkd connections --json`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AppName, ConnectionStatus, ConnectionToken, ErrorDetails, Status, UtcMicros};

/// The newest read of a connection, in our field names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Connection {
    /// The app it belongs to.
    pub app: AppName,
    /// Its id.
    pub token: ConnectionToken,
    /// Where its data stands, in Finlink's word.
    pub status: Status,
    /// The financial entity.
    pub entity: Option<String>,
    /// Starts a manual update in Finlink's widget.
    pub update_token: Option<String>,
    /// Present while the connection waits for a person.
    pub restore_token: Option<String>,
    /// A second factor is needed for an update.
    pub two_factor_enabled: Option<bool>,
    /// Credentials are stored for automatic updates.
    pub has_credentials: Option<bool>,
    /// The integrator's own grouping id.
    pub external_id: Option<String>,
    /// When it was created.
    pub created_at: Option<UtcMicros>,
    /// The last update, even one that failed.
    pub updated_at: Option<UtcMicros>,
    /// The last successful update.
    pub last_sync: Option<UtcMicros>,
    /// Why it is in error, where it is.
    pub error_details: Option<ErrorDetails>,
    /// Rises by one with every change that was observed; keep the highest.
    pub version: u64,
    /// When Finlink last said so.
    pub as_of: UtcMicros,
    /// When it was found to be deleted, where it is.
    pub deleted_at: Option<UtcMicros>,
}

impl Connection {
    /// The user's view of `status`, as of a read.
    pub fn from_status(
        app: AppName,
        status: &ConnectionStatus,
        version: u64,
        as_of: UtcMicros,
        deleted_at: Option<UtcMicros>,
    ) -> Self {
        Self {
            app,
            token: status.credentials_token.clone(),
            status: status.status.clone(),
            entity: status.entity.clone(),
            update_token: status.update_token.clone(),
            restore_token: status.restore_token.clone(),
            two_factor_enabled: status.two_factor_enabled,
            has_credentials: status.has_credentials,
            external_id: status.external_id.clone(),
            created_at: status.created_at,
            updated_at: status.updated_at,
            last_sync: status.last_sync,
            error_details: status.error_details.clone(),
            version,
            as_of,
            deleted_at,
        }
    }
}
