//! Every way a request can end: the word that counts it. The answer to each is in `answer`.

use queue::PublishError;
use verification::Refusal;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Durable; its signature is good, or nobody was to look.
    Accepted,
    /// Durable; its key is not known yet, or nobody has told this ingress the time.
    Pending,
    /// The path names no app that is set up.
    UnknownApp,
    /// Another path.
    UnknownPath,
    /// Another method than POST.
    Method,
    /// The head is over the limit.
    HeadTooLarge,
    /// The body is over the limit, declared or as read.
    BodyTooLarge,
    /// The body did not come in time.
    BodySlow,
    /// The body stopped half-way or cannot be read off the wire.
    BodyBroken,
    /// There is no signature.
    SignatureMissing,
    /// There is more than one.
    SignatureRepeated,
    /// The signature is not acceptable.
    Signature(Refusal),
    /// Too many keys that nobody knows come for the first time.
    UnknownKeys,
    /// Too many webhooks of unknown keys that came before.
    PendingRate,
    /// Too much is in flight.
    Overloaded,
    /// The queue has no room.
    QueueFull,
    /// The queue cannot be reached or written.
    QueueUnavailable,
    /// The queue refused the message for what it is: a fault of ours.
    QueueRefused,
    /// Nobody knows whether it was stored, or it took too long.
    QueueUnknown,
    /// The client went away before its answer; whether it was stored is in the books.
    Abandoned,
}

impl Outcome {
    /// Each of them once.
    pub fn all() -> impl Iterator<Item = Self> {
        const PLAIN: [Outcome; 19] = [
            Outcome::Accepted,
            Outcome::Pending,
            Outcome::UnknownApp,
            Outcome::UnknownPath,
            Outcome::Method,
            Outcome::HeadTooLarge,
            Outcome::BodyTooLarge,
            Outcome::BodySlow,
            Outcome::BodyBroken,
            Outcome::SignatureMissing,
            Outcome::SignatureRepeated,
            Outcome::UnknownKeys,
            Outcome::PendingRate,
            Outcome::Overloaded,
            Outcome::QueueFull,
            Outcome::QueueUnavailable,
            Outcome::QueueRefused,
            Outcome::QueueUnknown,
            Outcome::Abandoned,
        ];
        PLAIN.into_iter().chain(Refusal::ALL.into_iter().map(Self::Signature))
    }

    /// The value of the label `outcome`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Pending => "pending",
            Self::UnknownApp => "unknown_app",
            Self::UnknownPath => "unknown_path",
            Self::Method => "method",
            Self::HeadTooLarge => "head_too_large",
            Self::BodyTooLarge => "body_too_large",
            Self::BodySlow => "body_slow",
            Self::BodyBroken => "body_broken",
            Self::SignatureMissing => "signature_missing",
            Self::SignatureRepeated => "signature_repeated",
            Self::Signature(Refusal::Malformed) => "signature_malformed",
            Self::Signature(Refusal::Algorithm) => "signature_algorithm",
            Self::Signature(Refusal::Type) => "signature_type",
            Self::Signature(Refusal::Critical) => "signature_critical",
            Self::Signature(Refusal::KeyId) => "signature_key_id",
            Self::Signature(Refusal::Signature) => "signature_wrong",
            Self::Signature(Refusal::Claims) => "signature_claims",
            Self::Signature(Refusal::TooOld) => "signature_too_old",
            Self::Signature(Refusal::Expired) => "signature_expired",
            Self::Signature(Refusal::NotYet) => "signature_not_yet",
            Self::Signature(Refusal::BodyHash) => "signature_body_hash",
            Self::UnknownKeys => "unknown_keys",
            Self::PendingRate => "pending_rate",
            Self::Overloaded => "overloaded",
            Self::QueueFull => "queue_full",
            Self::QueueUnavailable => "queue_unavailable",
            Self::QueueRefused => "queue_refused",
            Self::QueueUnknown => "queue_unknown",
            Self::Abandoned => "abandoned",
        }
    }

    /// Whether the webhook is durable and the sender was told so.
    pub fn is_durable(self) -> bool {
        matches!(self, Self::Accepted | Self::Pending)
    }
}

impl From<&PublishError> for Outcome {
    fn from(error: &PublishError) -> Self {
        match error {
            PublishError::Full(_) => Self::QueueFull,
            PublishError::Unavailable(_) => Self::QueueUnavailable,
            PublishError::Refused(_) => Self::QueueRefused,
            PublishError::OutcomeUnknown(_) => Self::QueueUnknown,
        }
    }
}
