//! A connection as Finlink shows it, and as finlinkd must list it.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A connection's state, in Finlink's words.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionStatus {
    /// Its id.
    pub token: String,
    /// Such as `READY`.
    pub status: String,
    /// Why it is in error: `{reason, type, retryable}`.
    pub error_details: Option<Value>,
    /// Such as `santander`.
    pub entity: String,
    /// When it was created.
    pub created_at: String,
    /// Its last update, even a failed one.
    pub updated_at: Option<String>,
    /// Its last successful update.
    pub last_sync: Option<String>,
    /// Starts a manual update.
    pub update_token: Option<Uuid>,
    /// Restores a blocked connection.
    pub restore_token: Option<Uuid>,
    /// It needs a second factor.
    pub two_factor_enabled: bool,
    /// Credentials are stored.
    pub has_credentials: bool,
    /// The user's own grouping.
    pub external_id: Option<String>,
}

impl ConnectionStatus {
    /// One whose first import runs.
    pub fn pending(token: &str) -> Self {
        Self {
            token: token.to_owned(),
            status: "PENDING".to_owned(),
            error_details: None,
            entity: "santander".to_owned(),
            created_at: now_text(),
            updated_at: None,
            last_sync: None,
            update_token: None,
            restore_token: None,
            two_factor_enabled: false,
            has_credentials: true,
            external_id: Some(format!("customer-{token}")),
        }
    }

    /// One whose first import has ended.
    pub fn ready(token: &str) -> Self {
        Self::pending(token).synced()
    }

    /// It after a successful update just now.
    #[must_use]
    pub fn synced(self) -> Self {
        let now = Some(now_text());
        Self { status: "READY".to_owned(), updated_at: now.clone(), last_sync: now, error_details: None, ..self }
    }

    /// It after an update that failed just now.
    #[must_use]
    pub fn failed(self, retryable: bool) -> Self {
        Self {
            status: "UPDATE_ERROR".to_owned(),
            updated_at: Some(now_text()),
            error_details: Some(json!({
                "reason": "the bank did not answer", "type": "VUMI_ERROR", "retryable": retryable,
            })),
            ..self
        }
    }

    /// It with an update token.
    #[must_use]
    pub fn with_update_token(self) -> Self {
        Self { update_token: Some(Uuid::new_v4()), ..self }
    }

    /// It blocked, with a restore token.
    #[must_use]
    pub fn blocked(self) -> Self {
        Self { restore_token: Some(Uuid::new_v4()), has_credentials: false, ..self.failed(false) }
    }

    pub(super) fn to_json(&self) -> Value {
        let fields = [
            ("credentialsToken", json!(self.token)),
            ("status", json!(self.status)),
            ("errorDetails", json!(self.error_details)),
            ("entity", json!(self.entity)),
            ("createdAt", json!(self.created_at)),
            ("updatedAt", json!(self.updated_at)),
            ("lastSync", json!(self.last_sync)),
            ("updateToken", json!(self.update_token)),
            ("restoreToken", json!(self.restore_token)),
            ("twoFactorEnabled", json!(self.two_factor_enabled)),
            ("hasCredentials", json!(self.has_credentials)),
            ("externalId", json!(self.external_id)),
        ];
        // Which fields may be null and which absent is not documented: an absent one must read like a null.
        let absent = |name: &str, value: &Value| value.is_null() && matches!(name, "errorDetails" | "restoreToken");
        let kept = fields.into_iter().filter(|(name, value)| !absent(name, value));
        Value::Object(kept.map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

/// Finlink's status as `finlinkd connections list --json` must show it: our names, times to the microsecond. `version`,
/// `as_of` and `deleted_at` are finlinkd's own and left out.
pub fn as_listed(app: &str, status: &Value) -> Value {
    let time = |name: &str| match status[name].as_str() {
        Some(text) => json!(text.parse::<Timestamp>().map_or_else(|_| text.to_owned(), micros)),
        None => Value::Null,
    };
    let same = |name: &str| status.get(name).cloned().unwrap_or(Value::Null);
    let fields = [
        ("app", json!(app)),
        ("token", same("credentialsToken")),
        ("status", same("status")),
        ("entity", same("entity")),
        ("update_token", same("updateToken")),
        ("restore_token", same("restoreToken")),
        ("two_factor_enabled", same("twoFactorEnabled")),
        ("has_credentials", same("hasCredentials")),
        ("external_id", same("externalId")),
        ("created_at", time("createdAt")),
        ("updated_at", time("updatedAt")),
        ("last_sync", time("lastSync")),
        ("error_details", same("errorDetails")),
    ];
    Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

/// Now, as Finlink writes times: ISO 8601 in UTC with milliseconds.
pub fn now_text() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn micros(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
