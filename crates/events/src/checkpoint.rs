//! The ingress's mark in the books (R8): up to which of its numbers everything is decided.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::UtcMicros;

/// Sent through the same queue as the webhooks, also when idle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Checkpoint {
    /// The run of the ingress process that this is about.
    pub instance: Uuid,
    /// When that run started.
    pub started_at: UtcMicros,
    /// When this mark was made.
    pub at: UtcMicros,
    /// Every attempt up to this number was stored or refused; 0 where none was made yet.
    pub decided_through: u64,
    /// The attempts that were refused since the mark before: their senders got no 200.
    pub refused: Vec<SequenceRange>,
    /// The instance says that it stops and that no attempt follows `decided_through`.
    pub last: bool,
}

/// Consecutive sequence numbers, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SequenceRange {
    /// The first.
    pub from: u64,
    /// The last.
    pub through: u64,
}
