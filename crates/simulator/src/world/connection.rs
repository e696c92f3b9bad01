//! One connection: its state, what each change does to it, and how the API shows it.
//!
//! Promises: `updatedAt` and `lastSync` only rise; a change that doesn't fit the state (an exchange of what is deleted) does
//! nothing. Not here: which change comes next.

use fastrand::Rng;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::draw;
use crate::world::change::Kind;

/// Where a connection stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Linked, its public token not exchanged: only the list of pending ones shows it.
    Unexchanged,
    /// Queries show it.
    Shown,
    /// Gone for good.
    Deleted,
}

/// A connection. Times are Unix milliseconds.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) token: String,
    pub(crate) public_token: Uuid,
    pub(crate) stage: Stage,
    pub(crate) status: &'static str,
    pub(crate) update_token: Option<Uuid>,
    pub(crate) restore_token: Option<Uuid>,
    pub(crate) external_id: Option<String>,
    error: Option<(&'static str, &'static str, bool)>,
    entity: &'static str,
    pub(crate) created_at: i64,
    updated_at: i64,
    last_sync: Option<i64>,
    two_factor: bool,
    has_credentials: bool,
    /// A field that no page describes.
    extra: Option<(&'static str, Value)>,
    /// Whether fields without a value are left out or null: nothing is known, so some connections do this, some that.
    nulls: bool,
}

impl Connection {
    /// A connection that was just linked and whose first import runs.
    pub(crate) fn linked(rng: &mut Rng, now: i64) -> Self {
        let token = draw::token(rng);
        let external_id = (rng.u8(..10) < 7).then(|| format!("customer-{}", rng.u16(..200)));
        Self {
            token,
            public_token: draw::uuid(rng),
            stage: Stage::Unexchanged,
            status: "PENDING",
            update_token: None,
            restore_token: None,
            external_id,
            error: None,
            entity: draw::entity(rng),
            created_at: now,
            updated_at: now,
            last_sync: None,
            two_factor: rng.u8(..10) < 2,
            has_credentials: rng.u8(..10) < 8,
            extra: (rng.u8(..10) == 0).then(|| ("country", json!("ES"))),
            nulls: rng.bool(),
        }
    }

    /// A connection that has been there for days.
    pub(crate) fn settled(rng: &mut Rng, now: i64) -> Self {
        const DAY_MS: i64 = 86_400_000;
        let created = now - rng.i64(2 * DAY_MS..60 * DAY_MS);
        let synced = now - rng.i64(60_000..DAY_MS);
        let mut connection = Self::linked(rng, created);
        connection.stage = Stage::Shown;
        connection.status = "READY";
        connection.updated_at = synced;
        connection.last_sync = Some(synced);
        match rng.u8(..10) {
            0 => connection.restore_token = Some(draw::uuid(rng)),
            1 => {
                connection.status = "UPDATE_ERROR";
                connection.error = Some(draw_error(rng));
                connection.updated_at = synced + 30_000;
            }
            _ => {}
        }
        connection
    }

    /// Whether Finlink updates it daily by itself.
    pub(crate) fn automatic(&self) -> bool {
        self.has_credentials && !self.two_factor && self.restore_token.is_none()
    }

    /// Lets `kind` happen at `now`. False: it does not fit, and nothing happened.
    pub(crate) fn apply(&mut self, kind: Kind, now: i64, rng: &mut Rng) -> bool {
        let fits = match kind {
            Kind::Created => false,
            Kind::Exchanged => self.stage == Stage::Unexchanged,
            Kind::Deleted => self.stage != Stage::Deleted,
            _ => self.stage == Stage::Shown,
        };
        if fits {
            self.change(kind, now, rng);
        }
        fits
    }

    fn change(&mut self, kind: Kind, now: i64, rng: &mut Rng) {
        match kind {
            Kind::Created => {}
            Kind::Exchanged => self.stage = Stage::Shown,
            Kind::Deleted => self.stage = Stage::Deleted,
            Kind::UpdateStarted => {
                // Only one of them is used: a restore is also an update.
                if self.restore_token.take().is_none() {
                    self.update_token = None;
                }
                self.status = "UPDATING";
                self.error = None;
            }
            Kind::Imported | Kind::Updated | Kind::UpdatedOddly => {
                self.status = if kind == Kind::UpdatedOddly { "PARTIALLY_UPDATED" } else { "READY" };
                self.error = None;
                self.restore_token = None;
                self.updated_at = now.max(self.updated_at + 1);
                self.last_sync = Some(self.updated_at);
                if rng.u8(..30) == 0 {
                    self.extra = Some(("consentExpiresAt", json!(iso(now + 7_776_000_000))));
                }
            }
            Kind::ImportFailed | Kind::UpdateFailed => {
                self.status = if kind == Kind::ImportFailed { "ERRORED" } else { "UPDATE_ERROR" };
                self.error = Some(draw_error(rng));
                self.updated_at = now.max(self.updated_at + 1);
            }
            Kind::UpdateTokenIssued => self.update_token = Some(draw::uuid(rng)),
            Kind::Blocked => self.restore_token = Some(draw::uuid(rng)),
            Kind::CredentialsChanged => {
                self.two_factor = !self.two_factor;
                self.restore_token = Some(draw::uuid(rng));
            }
        }
    }

    /// The connection status as the API shows it.
    pub(crate) fn json(&self) -> Value {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Option<Value>| match value {
            Some(value) => drop(fields.insert(name.to_owned(), value)),
            None if self.nulls => drop(fields.insert(name.to_owned(), Value::Null)),
            None => {}
        };
        put("credentialsToken", Some(json!(self.token)));
        put("status", Some(json!(self.status)));
        put(
            "errorDetails",
            self.error
                .map(|(reason, kind, retryable)| json!({ "reason": reason, "type": kind, "retryable": retryable })),
        );
        put("entity", Some(json!(self.entity)));
        put("createdAt", Some(json!(iso(self.created_at))));
        put("updatedAt", Some(json!(iso(self.updated_at))));
        put("lastSync", self.last_sync.map(|at| json!(iso(at))));
        put("updateToken", self.update_token.map(|token| json!(token)));
        put("restoreToken", self.restore_token.map(|token| json!(token)));
        put("twoFactorEnabled", Some(json!(self.two_factor)));
        put("hasCredentials", Some(json!(self.has_credentials)));
        put("externalId", self.external_id.as_ref().map(|id| json!(id)));
        if let Some((name, value)) = &self.extra {
            put(name, Some(value.clone()));
        }
        Value::Object(fields)
    }
}

/// ISO 8601, UTC, milliseconds.
pub(crate) fn iso(unix_ms: i64) -> String {
    // Out of range only for a base time in the distant past or future, which then shows as 1970.
    format!("{:.3}", Timestamp::from_millisecond(unix_ms).unwrap_or_default())
}

fn draw_error(rng: &mut Rng) -> (&'static str, &'static str, bool) {
    const ERRORS: [(&str, &str, bool); 4] = [
        ("The entity did not answer", "VUMI_ERROR", true),
        ("The entity is being maintained", "VUMI_ERROR", true),
        ("Unexpected error", "INTERNAL_SERVER_ERROR", true),
        ("The account can no longer be accessed", "VUMI_ERROR", false),
    ];
    ERRORS[rng.usize(..ERRORS.len())]
}
