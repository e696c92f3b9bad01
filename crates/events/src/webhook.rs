//! A webhook between ingress and the store: the bytes as they came, and what the receiver knew of them.

use std::fmt;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{AppName, BodyHash, Receipt, UtcMicros};

/// A webhook as ingress publishes it. On AMQP the body is the message and every other field a property or a header; in JSON
/// all but the body is the envelope that stands beside it.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RawWebhook {
    /// What the sender was told, and the key of the delivery in the store.
    pub receipt: Receipt,
    /// The app whose path it was sent to.
    pub app: AppName,
    /// The run of the ingress process that took it; new at each start.
    pub instance: Uuid,
    /// Its number within `instance`, drawn per attempt (R8).
    pub sequence: u64,
    /// Every attempt of `instance` up to this number was stored or refused when this one was published (R8).
    pub decided_through: u64,
    /// When its last byte was read, by the clock of the ingress. For people and for ages only; it decides nothing (R1).
    pub received_at: UtcMicros,
    /// What is known of its signature.
    #[serde(flatten)]
    pub verification: Verification,
    /// The sender's `Content-Type`, as sent.
    pub content_type: Option<String>,
    /// The W3C trace context of the request, as sent.
    pub traceparent: Option<String>,
    /// The hash of `body`.
    pub body_sha256: BodyHash,
    /// The bytes off the wire: not parsed, not decompressed.
    #[serde(skip)]
    pub body: Bytes,
}

/// What is known of a webhook's signature.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "verification")]
pub enum Verification {
    /// Signed by a key of the app.
    Verified {
        /// The key.
        kid: Uuid,
        /// Whether the signature covers a hash of this very body. Where it does not, Finlink made the token, but the body
        /// may be anyone's.
        binds_body: bool,
    },
    /// Signed by a key not known yet, or at a time that its receiver cannot judge; the reconciler decides (R10).
    Pending {
        /// The key to ask for.
        kid: Uuid,
        /// The whole JWT, kept until it is decided.
        jwt: String,
    },
    /// `verification.mode = "off"`: nobody looked.
    Unchecked,
}

impl Verification {
    /// The word for it in envelopes, tables and listings.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Verified { .. } => "verified",
            Self::Pending { .. } => "pending",
            Self::Unchecked => "unchecked",
        }
    }

    /// The key named by the signature.
    pub fn kid(&self) -> Option<Uuid> {
        match self {
            Self::Verified { kid, .. } | Self::Pending { kid, .. } => Some(*kid),
            Self::Unchecked => None,
        }
    }

    /// Whether a signature vouches for the body itself.
    pub fn binds_body(&self) -> bool {
        matches!(self, Self::Verified { binds_body: true, .. })
    }
}

/// Without the body, which is none of a log's business.
impl fmt::Debug for RawWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawWebhook")
            .field("receipt", &self.receipt)
            .field("app", &self.app)
            .field("instance", &self.instance)
            .field("sequence", &self.sequence)
            .field("decided_through", &self.decided_through)
            .field("received_at", &self.received_at)
            .field("verification", &self.verification)
            .field("content_type", &self.content_type)
            .field("traceparent", &self.traceparent)
            .field("body_sha256", &self.body_sha256)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish()
    }
}

/// Without the JWT: whoever holds it can send it again.
impl fmt::Debug for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified { kid, binds_body } => {
                f.debug_struct("Verified").field("kid", kid).field("binds_body", binds_body).finish()
            }
            Self::Pending { kid, jwt: _ } => f.debug_struct("Pending").field("kid", kid).finish_non_exhaustive(),
            Self::Unchecked => f.write_str("Unchecked"),
        }
    }
}
