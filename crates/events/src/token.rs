//! The id of a connection, as Finlink gives it.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A connection's id (`credentialsToken`, elsewhere `connectionToken`).
///
/// Finlink documents 10 upper-case letters and digits. We take 1 to 64 of `[A-Za-z0-9_-]`, so that a longer id of
/// tomorrow is not lost, and never anything that would need escaping in a URL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^[A-Za-z0-9_-]{1,64}$"))]
pub struct ConnectionToken(String);

/// Why a string is not a [`ConnectionToken`]. The text itself is not repeated: it may come from anyone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a connection token: expected 1 to 64 of the characters A-Z, a-z, 0-9, _ and -")]
pub struct NotAToken;

impl ConnectionToken {
    /// The longest token, in characters.
    pub const LENGTH_MAX: usize = 64;

    /// The token as Finlink writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ConnectionToken {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for ConnectionToken {
    type Error = NotAToken;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let fits = (1..=Self::LENGTH_MAX).contains(&text.len());
        let clean = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if fits && clean { Ok(Self(text)) } else { Err(NotAToken) }
    }
}

impl From<ConnectionToken> for String {
    fn from(token: ConnectionToken) -> Self {
        token.0
    }
}

impl fmt::Display for ConnectionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ConnectionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
