//! What became of a verification.

use uuid::Uuid;

/// The three ways it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Finlink made this token for this app.
    Verified(Verified),
    /// It may be Finlink's: everything that can be checked without the key has passed. Here is the key to ask for.
    UnknownKey(Uuid),
    /// It is not acceptable, whatever keys turn up later.
    Refused(Refusal),
}

/// What a good token proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The key that signed it.
    pub kid: Uuid,
    /// A claim carries the hash of this very body. Where none does, the body may be anyone's.
    pub binds_body: bool,
}

/// Why a token is refused. The texts name the rule and nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// Not three parts of base64url around a header that can be read, or longer than [`crate::JWT_BYTES_MAX`].
    #[error("the token is not a JWT of three parts")]
    Malformed,
    /// `alg` is not `ES256`.
    #[error("the token's alg is not ES256")]
    Algorithm,
    /// `typ` is not `JWT`.
    #[error("the token's typ is not JWT")]
    Type,
    /// It has a `crit` header: extensions that must be understood, and none is.
    #[error("the token names critical header fields")]
    Critical,
    /// `kid` is missing or no UUID.
    #[error("the token's kid is not a UUID")]
    KeyId,
    /// The signature is not of the key that the token names.
    #[error("the token's signature is wrong")]
    Signature,
    /// The claims are no JSON object, or one that is enforced has another type than it should.
    #[error("the token's claims cannot be read")]
    Claims,
    /// Made too long ago, by `iat`.
    #[error("the token is too old")]
    TooOld,
    /// Too long past its `exp`.
    #[error("the token has expired")]
    Expired,
    /// Made in the future, by `iat`, or not valid yet, by `nbf`.
    #[error("the token is not valid yet")]
    NotYet,
    /// A hash claim is of another body.
    #[error("the token belongs to another body")]
    BodyHash,
}

impl Refusal {
    /// Every refusal, for whoever makes a label value or a table row of each.
    pub const ALL: [Self; 11] = [
        Self::Malformed,
        Self::Algorithm,
        Self::Type,
        Self::Critical,
        Self::KeyId,
        Self::Signature,
        Self::Claims,
        Self::TooOld,
        Self::Expired,
        Self::NotYet,
        Self::BodyHash,
    ];

    /// Whether the time alone is to blame: at another time, or by another clock, the token may be good.
    pub const fn is_of_time(self) -> bool {
        matches!(self, Self::TooOld | Self::Expired | Self::NotYet)
    }

    /// The word for it in labels and listings.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::Type => "type",
            Self::Critical => "critical",
            Self::KeyId => "key_id",
            Self::Signature => "signature",
            Self::Claims => "claims",
            Self::TooOld => "too_old",
            Self::Expired => "expired",
            Self::NotYet => "not_yet",
            Self::BodyHash => "body_hash",
        }
    }
}
