//! The name of a Finlink app as this installation calls it: a path segment, a routing key, a label, a settings key.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// 1 to 64 characters of `[a-z0-9_]`: safe unescaped in a URL, an AMQP routing key and an environment
/// variable's name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^[a-z0-9_]{1,64}$"))]
pub struct AppName(std::sync::Arc<str>);

/// Why a string is not an [`AppName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("app name {0:?}: expected 1 to 64 of the characters a-z, 0-9 and _")]
pub struct NotAnAppName(pub String);

impl AppName {
    /// The longest name, in characters.
    pub const LENGTH_MAX: usize = 64;

    /// The name as it is written everywhere.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AppName {
    type Err = NotAnAppName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=Self::LENGTH_MAX).contains(&text.len());
        let clean = text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if fits && clean { Ok(Self(text.into())) } else { Err(NotAnAppName(text.chars().take(80).collect())) }
    }
}

impl TryFrom<String> for AppName {
    type Error = NotAnAppName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AppName> for String {
    fn from(name: AppName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
