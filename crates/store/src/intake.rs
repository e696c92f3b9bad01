//! What the consumer needs: deliveries recorded, bodies kept once, hints raised, letters buried.

use async_trait::async_trait;
use bytes::Bytes;
use events::{AppName, BodyTells, Checkpoint, RawWebhook, Receipt, UtcMicros};

use crate::StoreError;

/// A webhook and what its body tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The webhook.
    pub webhook: RawWebhook,
    /// What its body tells.
    pub tells: BodyTells,
}

/// What became of one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recorded {
    /// A body never seen before in this app.
    New,
    /// Its body had been delivered before. It hinted all the same.
    Duplicate,
    /// This very receipt had been recorded before: the queue delivered it again. Nothing was changed.
    Redelivered,
}

/// Why a message became a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadLetterReason {
    /// Ingress never wrote it.
    Foreign,
    /// The store cannot take it.
    Culprit,
    /// It was delivered too often without being recorded.
    Attempts,
    /// A webhook with a larger body than the consumer reads. It is whole, and can be redriven.
    TooLarge,
}

impl DeadLetterReason {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Foreign, Self::Culprit, Self::Attempts, Self::TooLarge];

    /// The word in tables and labels.
    pub fn word(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::Culprit => "culprit",
            Self::Attempts => "attempts",
            Self::TooLarge => "too_large",
        }
    }

    /// The reason with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }
}

/// A message that cannot be recorded, kept as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its receipt, where it has one. Burying the same receipt twice keeps one letter: the later one, under a new number.
    pub receipt: Option<Receipt>,
    /// Its app, where it has one.
    pub app: Option<AppName>,
    /// The ingress run and the number, where it has them: a buried message counts as stored in the books (R8).
    pub booked: Option<(uuid::Uuid, u64)>,
    /// Why.
    pub reason: DeadLetterReason,
    /// Why, in detail.
    pub detail: String,
    /// When it was buried.
    pub buried_at: UtcMicros,
    /// The envelope as JSON, as far as it could be read: enough, with `body`, to publish it again.
    pub envelope: serde_json::Value,
    /// The body, untouched.
    pub body: Bytes,
}

/// The consumer's port.
#[async_trait]
pub trait Intake: Send + Sync {
    /// Records readings in one transaction, in any order and as often as they come: the delivery, its body once per app, the
    /// hints of R1 and R11 (none for a pending one). Answers in the order asked.
    async fn record(&self, readings: &[Reading]) -> Result<Vec<Recorded>, StoreError>;

    /// Records marks of the books (R8), idempotently.
    async fn mark(&self, checkpoints: &[Checkpoint]) -> Result<(), StoreError>;

    /// Keeps what cannot be recorded.
    async fn bury(&self, letters: &[DeadLetter]) -> Result<(), StoreError>;

    /// Removes the letters with these numbers, whose messages are in the queue again; says how many were still there. A message
    /// that was buried again meanwhile has a letter with another number, which stays.
    async fn unbury(&self, ids: &[i64]) -> Result<u64, StoreError>;

    /// Removes the letters with these numbers for good; says how many there were. What they have in the books stays accounted
    /// for.
    async fn discard(&self, ids: &[i64], now: UtcMicros) -> Result<u64, StoreError>;

    /// Whether it can be written just now.
    async fn probe(&self) -> Result<(), StoreError>;
}
